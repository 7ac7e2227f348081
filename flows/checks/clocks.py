"""Whether the servers that a night speaks to answer, know what it asks for, and have the same time.

Leases and schedules compare clocks.
"""

import json
import os
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from importlib import metadata
from typing import Any, Final
from urllib.parse import quote

from flows.checks.finding import Finding, ok, warning, wrong
from flows.deployments import DeploymentsConfig
from flows.settings import RetrainConfig

MOST_SKEW: Final = 10.0  # seconds
STORAGE: Final = "https://storage.googleapis.com"
PATIENCE: Final = 10  # seconds for an answer


def find_servers(config: RetrainConfig) -> Iterator[Finding]:
    """What is to be said of Prefect's server, and of the clock as it and the storage see it."""
    from prefect.settings import PREFECT_API_URL  # it takes a second; the environment or a profile says it

    url = PREFECT_API_URL.value()
    if url:
        yield from find_prefect(url)
    yield from find_deployments(url, config.deployments)
    if config.registry.startswith("gs://"):
        yield from find_skew("registry", os.environ.get("STORAGE_EMULATOR_HOST", "") or STORAGE)


def find_prefect(url: str) -> Iterator[Finding]:
    """A server must answer, accept the key if it wants one, and be of the client's release."""
    own = metadata.version("prefect")
    try:
        version = json.loads(fetch(f"{url}/admin/version"))
    except urllib.error.HTTPError as error:
        cause = "PREFECT_API_KEY or PREFECT_API_AUTH_STRING is missing or wrong" if error.code in (401, 403) else "?"
        yield wrong("PREFECT_API_URL", f"= {url}: expected a Prefect server, it answers {error.code} ({cause})")
        return
    except (OSError, ValueError, HTTPException) as error:
        said = " ".join(str(error).split())
        yield wrong("PREFECT_API_URL", f"= {url}: expected the address of a Prefect server that answers ({said})")
        return
    if str(version).split(".")[:2] == own.split(".")[:2]:
        yield ok("PREFECT_API_URL", f"= {url}: Prefect {version}")
    else:
        yield warning("PREFECT_API_URL", f"= {url}: its release is {version}, this machine's {own}; install the same")
    yield from find_skew("PREFECT_API_URL", f"{url}/health")


def find_deployments(url: str | None, config: DeploymentsConfig) -> Iterator[Finding]:
    """The parts of a night that run elsewhere must be deployments of that server."""
    for part in ("prepare", "train", "evaluate"):
        name = getattr(config, part)
        if not name:
            continue
        if not url:
            yield wrong(f"deployments.{part}", f"= {name}: expected PREFECT_API_URL to name the server that has it")
            continue
        try:
            fetch(f"{url}/deployments/name/{quote(name)}")
        except urllib.error.HTTPError as error:
            cause = "nightshift deploy makes some" if error.code == 404 else f"it answers {error.code}"
            yield wrong(f"deployments.{part}", f"= {name}: expected a deployment of the Prefect server {url} ({cause})")
        except (OSError, ValueError, HTTPException):
            return  # it was told of the server itself
        else:
            yield ok(f"deployments.{part}", f"= {name}")


def fetch(url: str) -> bytes:
    """What a server says, with the key that the environment has for it, and that no other server is shown."""
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_KEY

    request = urllib.request.Request(url)  # noqa: S310 -- the address is the user's own
    if key := PREFECT_API_KEY.value():
        request.add_unredirected_header("Authorization", f"Bearer {shown(key)}")
    elif pair := PREFECT_API_AUTH_STRING.value():
        request.add_unredirected_header("Authorization", f"Basic {b64encode(shown(pair).encode()).decode()}")
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
        data: bytes = answer.read()
    return data


def shown(secret: Any) -> str:
    """A setting that Prefect keeps from being printed by accident."""
    return str(secret.get_secret_value() if hasattr(secret, "get_secret_value") else secret)


def find_skew(subject: str, url: str) -> Iterator[Finding]:
    """How far this machine's clock is from a server's."""
    skew = skew_of(url)
    if skew is None:
        return
    if abs(skew) > MOST_SKEW:
        which = "ahead of" if skew > 0 else "behind"
        said = (
            f"this machine's clock is {abs(skew):,.0f} s {which} the server's: leases and schedules go wrong; use NTP"
        )
        yield warning(subject, said)
    else:
        yield ok(subject, f"this machine's clock and the server's are within {MOST_SKEW:.0f} s")


def skew_of(url: str) -> float | None:
    """Seconds that this machine's clock is ahead of a server's; None where the server does not answer or tell."""
    before = time.time()
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310
            told = answer.headers.get("Date")
    except urllib.error.HTTPError as error:
        told = error.headers.get("Date")
    except (OSError, ValueError, HTTPException):
        return None
    here = (before + time.time()) / 2
    try:
        return here - parsedate_to_datetime(told).timestamp() - 0.5  # the header has whole seconds
    except (TypeError, ValueError):
        return None
