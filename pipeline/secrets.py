"""Passwords and keys: where they may not be written, and where they come from instead.

A configuration goes everywhere: into manifests, into Prefect's database, onto pages. So an address in it holds no
secret. A web server that wants one is given it from the environment, or from a .netrc file:

    NIGHTSHIFT_HTTPS_TOKEN_DATA_EXAMPLE_ORG=...      sent to https://data.example.org alone, as `Authorization: Bearer`
    machine data.example.org login ada password ...  in ~/.netrc, or in the file that NETRC names
"""

import os
import re
from typing import Annotated, Final
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from pipeline.redaction import TELLTALE, is_telltale

VARIABLE: Final = "NIGHTSHIFT_HTTPS_TOKEN_"
# The same for Prefect's server, which refuses a value by its JSON schema before anything is stored.
WORDS: Final = "|".join(sorted(TELLTALE))
CAPITALS: Final = "|".join(sorted(word.title() for word in TELLTALE))
SCHEMA: Final = (
    r"^(?![a-zA-Z][a-zA-Z0-9+.-]*://[^/?#]*@)"
    rf"(?!https?://.*[?&;](?:[^=&;]*(?:{CAPITALS})|(?:[^=&;]*[^a-zA-Z=&;])?(?:{WORDS}))(?![a-z])[^=&;]*=)"
)


def without_secrets(place: str) -> str:
    """A place from a configuration as it is; raises where it is an address with a user name, a password or a key."""
    if "://" not in place:
        return place
    try:
        address = urlsplit(place)
    except ValueError:  # whoever opens it will say so
        return place
    names = [name for name, _ in parse_qsl(address.query.replace(";", "&"), keep_blank_values=True)]
    named = next((name for name in names if is_telltale(name)), None)
    if "@" in address.netloc or named is not None:
        what = "a user name or a password" if "@" in address.netloc else f"the parameter {named}"
        variable = variable_of(address.hostname or "")
        allowed = "an address without {what}: configurations are stored and shown; set {variable} in the environment"
        raise PydanticCustomError("secret", allowed, {"what": what, "variable": variable})
    return place


Place = Annotated[str, AfterValidator(without_secrets), Field(json_schema_extra={"pattern": SCHEMA})]


def variable_of(host: str) -> str:
    """The environment variable that holds the token for a web server.

    >>> variable_of("data.example.org")
    'NIGHTSHIFT_HTTPS_TOKEN_DATA_EXAMPLE_ORG'
    """
    return VARIABLE + re.sub(r"[^A-Z0-9]", "_", host.upper())


def token_for(host: str) -> str:
    """What the environment says is to be shown to a web server, "" where it says nothing."""
    return os.environ.get(variable_of(host), "").strip()
