"""Files from the web, each pinned by its SHA-256: downloaded once, resumed where a connection broke, never trusted.

    ~/.cache/nightshift/downloads/3a7b...91              a whole file, under the digest of its bytes
    ~/.cache/nightshift/downloads/.3a7b...91.partial     what has come so far; the next try, or the next run, goes on

Only https is spoken, to the end of all redirects. Plain http is for this machine's own addresses alone: nobody can
listen there, and what is served is pinned all the same. A server that wants to know who asks is told from the
environment, see `pipeline.secrets`.
"""

import ipaddress
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import SplitResult, urljoin, urlsplit

from pipeline.errors import InputError
from pipeline.reading.cache import FULL, alone, cache_folder, downloads
from pipeline.reading.digests import Progress, digest_of
from pipeline.reading.locations import check_whole
from pipeline.reading.parts import Beginning, StoredFile
from pipeline.secrets import token_for, variable_of

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

PAUSES: Final = (1.0, 2.0, 4.0, 8.0)  # seconds before each further try; as soon as bytes come, counting starts again
TIMEOUTS: Final = (15, 60)  # seconds for a connection, and for the next bytes
MOST_REDIRECTS: Final = 10
REDIRECTS: Final = {301, 302, 303, 307, 308}
REFUSED: Final = {401, 403, 404}  # 404: so some say that one is not to know
PASSING: Final = {408, 425, 429, 500, 502, 503, 504}  # answers that another try may better
CHUNK: Final = 2**20  # bytes


class InterruptedDownload(Exception):  # noqa: N818 - not a fault: another try may go on from here
    """The connection broke, or the server could not answer now."""


@dataclass(frozen=True, slots=True)
class WebFile:
    """A file at an https address.

    Args:
        parameter: what messages call it.
        url: the whole address; its query, which may hold a key, is never shown.
        sha256: the digest that its bytes must have.
    """

    parameter: str
    url: str
    sha256: str

    @classmethod
    def of(cls, parameter: str, url: str, sha256: str) -> Self:
        """The file, if the address may be used and the digest is given; raises `InputError` otherwise."""
        file = cls(parameter, url, sha256)
        if why := refusal(url):
            raise InputError(parameter, file.shown, "a path, gs://bucket/name or https://...", why)
        if not sha256:
            key = parameter.removesuffix("path") + "sha256" if parameter.endswith(".path") else f"{parameter}_sha256"
            raise InputError(key, "not given", f"the SHA-256 of {file.shown}", "what comes over the web is pinned")
        return file

    @property
    def shown(self) -> str:
        """The address without query, user name and password."""
        address = split(self.url)
        return f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}"

    @property
    def size(self) -> int | None:
        """Its bytes, where it is in the cache: the server is not asked."""
        return self.cached.stat().st_size if self.is_here else None

    @property
    def is_here(self) -> bool:
        """Whether it is in the cache."""
        return self.cached.is_file()

    @property
    def cached(self) -> Path:
        """Where the cache has it, or would have it."""
        return cache_folder() / "downloads" / self.sha256

    def check(self) -> None:
        """Nothing to do: the address was looked at when the file was made, and asking the server is not cheap."""

    def bring(self, progress: Progress) -> StoredFile:
        """The file in the cache; raises `ConnectionError` if the server cannot be reached."""
        return StoredFile(self.parameter, fetch(self, progress), self.sha256, self.shown)

    def begin(self, most: int) -> Beginning:
        """The first bytes, from the cache or by one request."""
        cached = cache_folder() / "downloads" / self.sha256
        if cached.exists():
            with cached.open("rb") as file:
                found = Beginning(file.read(most), size_of(cached), cached)
        else:
            try:
                found = receive_beginning(self, most)
            except InterruptedDownload as error:
                raise ConnectionError(f"{self.shown} could not be read: {error}") from None
        check_whole(self.parameter, self.shown, found, self.sha256)
        return found


def split(url: str) -> SplitResult:
    """The parts of an address; those of an empty one where it is none."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def refusal(url: str) -> str:
    """Why an address is not used, "" if it is."""
    address = split(url)
    if "@" in address.netloc:
        return "it holds a user name or a password"
    if not address.hostname:
        return "it names no host"
    if address.scheme == "https" or (address.scheme == "http" and is_this_machine(address.hostname)):
        return ""
    return "only https is spoken"


def is_this_machine(host: str) -> bool:
    """Whether a host is the machine itself, by its name or number.

    >>> is_this_machine("127.0.0.1"), is_this_machine("10.0.0.1")
    (True, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def fetch(file: WebFile, progress: Progress) -> Path:
    """The path of the file in the cache, where it is put if it is not there or was damaged.

    Raises:
        InputError: the server does not have it or has another one, or it does not fit the disk.
        ConnectionError: the server could not be reached in several tries.
    """
    folder = downloads()
    target, partial = folder / file.sha256, folder / f".{file.sha256}.partial"
    with alone(folder / f".{file.sha256}.lock"):
        if target.exists():
            if digest_of(target, progress) == file.sha256:
                return target
            target.unlink()
        was_begun = partial.exists()
        receive(file, partial, progress)
        digest = digest_of(partial, progress)
        if digest != file.sha256 and was_begun:  # perhaps the beginning was that of an older file
            partial.unlink()
            receive(file, partial, progress)
            digest = digest_of(partial, progress)
        if digest != file.sha256:
            partial.unlink()
            cause = f"its SHA-256 is {digest}; what was downloaded is removed"
            raise InputError(file.parameter, file.shown, f"the file with SHA-256 {file.sha256}", cause)
        partial.replace(target)
    return target


def receive(file: WebFile, partial: Path, progress: Progress) -> None:
    """Downloads what is missing of a file, in as many tries as it takes while something comes."""
    tries = 0
    while True:
        before = size_of(partial)
        try:
            return receive_once(file, partial, progress)
        except InterruptedDownload as error:
            tries = 1 if size_of(partial) > before else tries + 1
            if tries > len(PAUSES):
                # without `from`: the library's errors quote the whole address
                raise ConnectionError(f"{file.shown} could not be downloaded: {error}") from None
        time.sleep(PAUSES[tries - 1])


def receive_once(file: WebFile, partial: Path, progress: Progress) -> None:
    """One request; raises `InterruptedDownload` where another may go on."""
    begun = size_of(partial)
    with answer(file, f"bytes={begun}-" if begun else "") as response:
        if response.status_code == 416:  # nothing is left to send, or what has come so far is of another file
            if begun and response.headers.get("Content-Range") == f"bytes */{begun}":
                return
            partial.unlink(missing_ok=True)
            raise InterruptedDownload("what had come so far was longer than the file")
        check_answer(file, response)
        is_resumed = response.headers.get("Content-Range", "").startswith(f"bytes {begun}-")
        if response.status_code == 206 and not is_resumed:
            partial.unlink(missing_ok=True)
            raise InterruptedDownload("the server sent another part than the one asked for")
        begun = begun if is_resumed else 0
        write(file, partial, response, begun, progress)


def receive_beginning(file: WebFile, most: int) -> Beginning:
    """The first bytes of a file, and how many it has."""
    from urllib3.exceptions import HTTPError

    with answer(file, f"bytes=0-{most - 1}") as response:
        if response.status_code == 416:  # there is no first byte
            return Beginning(b"", 0)
        check_answer(file, response)
        try:
            data = response.raw.read(most, decode_content=False)
        except HTTPError as error:
            raise InterruptedDownload(reason_of(error)) from None
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
        size = total if response.status_code == 206 else response.headers.get("Content-Length", "")
    return Beginning(data, int(size) if size.isdecimal() else 0)


def check_answer(file: WebFile, response: "Response") -> None:
    """Raises `InputError` where the server refuses, and `InterruptedDownload` where another try may help."""
    if response.status_code in PASSING:
        raise InterruptedDownload(f"the server answers {response.status_code}")
    if response.status_code not in {200, 206}:
        cause = f"the server answers {response.status_code} {response.reason}"
        if response.status_code in REFUSED:
            cause += f"; {variable_of(split(file.url).hostname or '')} may hold a token for it"
        raise InputError(file.parameter, file.shown, "a file that can be downloaded", cause)


def write(file: WebFile, partial: Path, response: "Response", begun: int, progress: Progress) -> None:
    """Appends what comes to what has come so far."""
    from urllib3.exceptions import HTTPError

    announced = response.headers.get("Content-Length", "")
    coming = int(announced) if announced.isdecimal() else 0
    free = shutil.disk_usage(partial.parent).free
    if coming > free:
        allowed = f"a file that fits {partial.parent}, which has {free:,} bytes left"
        raise InputError(file.parameter, file.shown, allowed, f"{coming:,} bytes are to come")
    try:
        with partial.open("ab" if begun else "wb") as stored:
            # The bytes as they are stored: what a server compresses on the way is not what was pinned.
            for chunk in response.raw.stream(CHUNK, decode_content=False):
                stored.write(chunk)
                progress(file.shown, stored.tell(), begun + coming)
    except HTTPError as error:
        raise InterruptedDownload(reason_of(error)) from None
    except OSError as error:
        if error.errno not in FULL:
            raise InterruptedDownload(str(error.strerror)) from error
        partial.unlink(missing_ok=True)
        raise InputError(file.parameter, file.shown, f"space in {partial.parent}", str(error.strerror)) from error


@contextmanager
def answer(file: WebFile, span: str) -> Iterator["Response"]:
    """The server's answer at the end of all redirects to a request for a range of bytes, or without one for all.

    Each server on the way is shown the token that is its own and no other's.
    """
    import requests

    headers = {"Accept-Encoding": "identity"} | ({"Range": span} if span else {})
    url = file.url
    with requests.Session() as session:
        for _ in range(MOST_REDIRECTS + 1):
            try:
                response = session.get(
                    url, headers=headers, auth=shown_to(url), stream=True, allow_redirects=False, timeout=TIMEOUTS
                )
            except requests.exceptions.SSLError:
                cause = "its certificate is not one that this machine trusts; REQUESTS_CA_BUNDLE names others"
                raise InputError(file.parameter, file.shown, "a server that can be trusted", cause) from None
            except requests.RequestException as error:
                raise InterruptedDownload(reason_of(error)) from None
            with response:
                if response.status_code not in REDIRECTS:
                    yield response
                    return
                url = urljoin(url, response.headers.get("Location", ""))
            if refusal(url) or split(url).scheme != split(file.url).scheme:
                why = refusal(url) or "only https is followed"
                cause = f"the server redirects to {split(url).scheme or 'nowhere'}:, and {why}"
                raise InputError(file.parameter, file.shown, "an address that stays with https", cause)
    raise InputError(file.parameter, file.shown, f"at most {MOST_REDIRECTS} redirects", "it redirects in a circle?")


def shown_to(url: str) -> "Callable[[PreparedRequest], PreparedRequest] | None":
    """What puts a server's token into a request; None where there is none, and .netrc is asked."""
    token = token_for(split(url).hostname or "")
    if not token:
        return None

    def authorize(request: "PreparedRequest") -> "PreparedRequest":
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return authorize


def reason_of(error: Exception) -> str:
    """What went wrong on the way, in words that do not quote the address."""
    is_slow = "timed out" in str(error) or "Timeout" in type(error).__name__
    return f"no answer within {TIMEOUTS[1]} seconds" if is_slow else "the connection broke or could not be made"


def size_of(path: Path) -> int:
    """Bytes of a file, 0 where there is none."""
    return path.stat().st_size if path.exists() else 0
