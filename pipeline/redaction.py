"""What is shown of text that may hold passwords or keys. Nothing heavy is imported here: every error asks."""

import re
from typing import Final

HIDDEN: Final = "..."
WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
TELLTALE: Final = {
    *("apikey", "auth", "authorization", "bearer", "credential", "credentials", "jwt", "key", "pass", "passwd"),
    *("password", "pat", "pwd", "secret", "sig", "signature", "token"),
}
USER: Final = re.compile(r"(?<=://)(?:[^\s/@'\"]+|[^\s/@:'\"]+:[^\s@'\"]+)@")
PARAMETER: Final = re.compile(r"(?<=[?&;])([\w.-]+)=[^\s&;'\")]+")


def is_telltale(name: str) -> bool:
    """Whether a parameter of that name is likely to hold a secret.

    >>> is_telltale("X-Amz-Signature"), is_telltale("accessToken"), is_telltale("keyword")
    (True, True, False)
    """
    return not TELLTALE.isdisjoint(word.lower() for word in WORD.findall(name))


def redacted(text: str) -> str:
    """Text for people, without what addresses in it hold of users and keys.

    >>> redacted("https://ada:pw@host/a?token=abc&v=1 and gs://models/weather@champion")
    'https://...@host/a?token=...&v=1 and gs://models/weather@champion'
    """
    if "://" not in text:
        return text
    text = USER.sub(f"{HIDDEN}@", text)
    return PARAMETER.sub(lambda found: f"{found[1]}={HIDDEN}" if is_telltale(found[1]) else found[0], text)
