r"""What is mended in a sentence before it is judged: composition, white space, and the marks of bad extraction.

The exported model composes characters and collapses white space itself, and nothing else. So all that goes beyond that
is off by default, unless it repairs what nobody would type: a model must not learn from sentences rewritten into a
form that it never meets in service.

    >>> Normalizer(NormalizeConfig())("  Cafe\u0301&nbsp;<b>noir</b>, schÃ¶n\u200b ")
    'Café noir, schön'
"""

import html
import re
import unicodedata
from collections.abc import Callable
from html.entities import html5
from typing import Literal

from pydantic import Field

from pipeline.config import Frozen

Step = Callable[[str], str]

PASSES = 16  # a line of a megabyte can be nested so deep that without end it would take hours


class NormalizeConfig(Frozen):
    """What is rewritten in both sides of every pair."""

    form: Literal["NFC", "NFKC"] = Field(
        "NFC", description="Unicode form. NFKC also makes full-width letters, ligatures and superscripts plain ones."
    )
    whitespace: bool = Field(True, description="Make every run of white space one space, none at the ends.")
    invisible: bool = Field(
        True, description="Remove control, zero-width and direction characters, but joiners where they carry meaning."
    )
    entities: bool = Field(True, description="Turn HTML entities into their characters: &eacute; into é.")
    tags: bool = Field(True, description="Remove HTML tags, such as <b> and <br/>; unknown ones stay.")
    mojibake: bool = Field(True, description="Repair UTF-8 that was read as another encoding: schÃ¶n into schön.")
    quotes: bool = Field(False, description="Make typographic quotation marks and apostrophes straight.")


# Letters that change their form, or the meaning of a word, with a joiner after them: Arabic, Indic and their kin.
JOINING = "\u0600-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u18af\ufb50-\ufdff\ufe70-\ufefc"
PICTURES = "\u2190-\u2bff\ufe0f\U0001f000-\U0001faff"
INVISIBLE = re.compile(
    "[\x01-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"  # controls; NUL stays for the rule, as it says that a file is no text
    "\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]"
    f"|(?<![{JOINING}])[\u180e\u200c]"
    f"|(?<![{JOINING}{PICTURES}])\u200d"
    "|(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0001-\U000e007f]+"  # tags, which flags of regions are made of
)
ENTITY = re.compile("&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
INLINE = "a|abbr|b|big|em|font|i|mark|nobr|s|small|span|strike|strong|sub|sup|tt|u|wbr"
BLOCK = "article|aside|body|br|button|caption|center|dd|div|dl|dt|footer|form|h[1-6]|head|header|hr|html|iframe|img"
BLOCK += "|input|label|li|main|nav|ol|option|p|script|section|select|style|table|tbody|td|tfoot|th|thead|tr|ul"
ATTRIBUTES = r"""(?:\s+[\w:.-]+\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>=]+))*\s*/?"""
INLINE_TAG = re.compile(f"</?(?:{INLINE}){ATTRIBUTES}>", re.IGNORECASE)
BLOCK_TAG = re.compile(f"</?(?:{BLOCK}){ATTRIBUTES}>|<!--[^<>]*-->", re.IGNORECASE)
# How Windows-1252 and Windows-1251 show the first byte of a character in UTF-8, and the bytes 80 to BF that follow it.
WESTERN_FIRST = "\u00c2-\u00f4"
CYRILLIC_FIRST = "\u0412-\u044f"
ODD_FIRST = "√‚"  # of Mac Roman and of code page 437
WESTERN = "\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
CYRILLIC = "\u0080-\u00bfЂЃѓЉЊЌЋЏђљњќћџЎўЈҐЁЄЇІіґёєјЅѕї€‚„…†‡‰‹‘’“”•–—™›№"
MOJIBAKE = re.compile(f"[{WESTERN_FIRST}][{WESTERN}]|[{CYRILLIC_FIRST}][{CYRILLIC}]|[{ODD_FIRST}]\\S|[\u0080-\u009f]")
# A word in capitals, such as ĐÃ or MANHÃ, and what ends it: the same bytes as those of one letter, and no mojibake.
CAPITALS = re.compile("[A-ZÀ-ÞĂĐĨŨƠƯ][\u00c2-\u00de](?:\u00a0|[‘’“”•–—™…](?!\\w))")
STRAIGHT = str.maketrans(dict.fromkeys("‘’‚‛′ʼ´", "'") | dict.fromkeys("“”„‟«»″〝〞", '"'))


def remove_invisible(text: str) -> str:
    """The text without characters that nobody sees, joiners apart where they shape words or pictures."""
    return text if text.isprintable() else INVISIBLE.sub("", text)


def unescape_entities(text: str) -> str:
    """The text with complete entities decoded; `AT&T`, `?a=1&copy=2` and `&region;` hold none."""
    return ENTITY.sub(_character, text) if "&" in text else text


def _character(entity: re.Match[str]) -> str:
    name = entity[0][1:]
    if name.startswith("#"):
        return html.unescape(entity[0])
    return html5.get(name, entity[0])  # html.unescape would take the &reg of &region; for one


def remove_tags(text: str) -> str:
    """The text without HTML tags: those that break a line leave a space."""
    return BLOCK_TAG.sub(" ", INLINE_TAG.sub("", text)) if "<" in text else text


def repair_mojibake(text: str) -> str:
    """The text in the encoding it was written in, where ftfy is sure that it was read in another."""
    if text.isascii() or not MOJIBAKE.search(text) or CAPITALS.search(text):
        return text
    from ftfy import fix_encoding

    return fix_encoding(text)


def straighten_quotes(text: str) -> str:
    """The text with the quotation marks of a typewriter."""
    return text if text.isascii() else text.translate(STRAIGHT)


def collapse_whitespace(text: str) -> str:
    """The text with single spaces, none at the ends."""
    return " ".join(text.split())


class Normalizer:
    """The configured steps as one function of a sentence; it changes nothing in what it returned before.

    The exception is what is nested deeper than `PASSES`, which nobody writes who means well.
    """

    def __init__(self, config: NormalizeConfig) -> None:
        self.config = config
        chosen: list[tuple[bool, Step]] = [
            (config.mojibake, repair_mojibake),
            (config.entities, unescape_entities),
            (config.tags, remove_tags),
            (config.quotes, straighten_quotes),
            (config.invisible, remove_invisible),
            (config.whitespace, collapse_whitespace),
        ]
        self.steps = [step for is_chosen, step in chosen if is_chosen]

    def __call__(self, text: str) -> str:
        """The sentence as it is judged, hashed and learnt from."""
        if self.is_plain(text):
            if "  " in text or text[:1] == " " or text[-1:] == " ":
                return collapse_whitespace(text) if self.config.whitespace else text
            return text
        for _ in range(PASSES):  # what one step uncovers may be another's work: &amp;lt;b&gt;
            before = text
            text = unicodedata.normalize(self.config.form, text)
            for step in self.steps:
                text = step(text)
            if text == before:
                break
        return text

    def is_plain(self, text: str) -> bool:
        """Whether a quick look finds nothing to do but to collapse spaces: most sentences."""
        if not text.isprintable() or "&" in text or "<" in text:
            return False
        return text.isascii() or not (
            self.config.quotes or MOJIBAKE.search(text) or not unicodedata.is_normalized(self.config.form, text)
        )
