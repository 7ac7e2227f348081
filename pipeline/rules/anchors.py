"""What a translation leaves as it is: addresses on the web and in the mail, and places for values.

>>> urls("see http://www.example.org/de/a.html, or example.net"), emails("To: Info@Example.org.")
(['example'], ['example'])
>>> placeholders("Deleted %d of {total} files in <b2>%s</b2>")
['%d', '%s', '</b2', '<b2', '{total}']
"""

import re

URL = re.compile(r"(?:https?://|\bwww\.)([^\s/<>\"'()?#:，。、；：！？）」』》]+)", re.IGNORECASE)
EMAIL = re.compile(r"[\w+-]@([\w-]+(?:\.[\w-]+)+)")
PRINTF = re.compile(r"(?<!\d)(?<!\d\s)%(?:\d\$|\(\w+\))?[.\d]{0,4}[sdifux@](?![\w%])")
BRACES = re.compile(r"\$?\{\{?[\w.:-]{0,40}\}?\}")
TAG = re.compile(r"</?[A-Za-z][\w:-]*(?=[\s/>])")


def urls(text: str) -> list[str]:
    """Names of the sites that are linked to; a translation may lead to the same site in its own language."""
    if "://" not in text and "www." not in text and "WWW." not in text:
        return []
    return sorted(map(site, URL.findall(text)))


def emails(text: str) -> list[str]:
    """Names of the sites of the e-mail addresses."""
    return sorted(map(site, EMAIL.findall(text))) if "@" in text else []


def site(host: str) -> str:
    """The longest part of a host's name but for its last: what the site calls itself in every country."""
    parts = host.lower().rstrip(".,;:!").split(".")
    return max(parts[:-1] or parts, key=len)


def placeholders(text: str) -> list[str]:
    """What a program puts values in place of, and tags that are no HTML, sorted."""
    if not ("%" in text or "{" in text or "<" in text):
        return []
    return sorted(PRINTF.findall(text) + BRACES.findall(text) + TAG.findall(text))
