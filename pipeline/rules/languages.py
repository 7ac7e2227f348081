"""What the rules need to know about a language: its scripts, whether it puts spaces between words, its kin.

A label is a tag such as `en`, `pt-BR` or `zh-Hans`. One that is not known (`source`, `x-frames`) switches off whatever
would need to know the language.

    >>> language("pt-BR").code, language("zh-Hant").is_spaced, language("sr-Latn").scripts
    ('pt', False, ('Latin',))
    >>> language("x-frames").is_known
    False
"""

import re
from dataclasses import dataclass
from functools import cache, cached_property

SCRIPTS = {  # blocks of letters and vowel signs, as regular expressions write them
    "Latin": "A-Za-zªºÀ-ÖØ-öø-\u02af\u1e00-\u1eff\u2c60-\u2c7f\ua720-\ua7ff\uff21-\uff3a\uff41-\uff5a",
    "Greek": "\u0370-\u03ff\u1f00-\u1fff",
    "Cyrillic": "\u0400-\u052f\u1c80-\u1c8f\u2de0-\u2dff\ua640-\ua69f",
    "Armenian": "\u0530-\u058f",
    "Hebrew": "\u0590-\u05ff\ufb1d-\ufb4f",
    "Arabic": "\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufefc",
    "Thaana": "\u0780-\u07bf",
    "Devanagari": "\u0900-\u097f\ua8e0-\ua8ff",
    "Bengali": "\u0980-\u09ff",
    "Gurmukhi": "\u0a00-\u0a7f",
    "Gujarati": "\u0a80-\u0aff",
    "Oriya": "\u0b00-\u0b7f",
    "Tamil": "\u0b80-\u0bff",
    "Telugu": "\u0c00-\u0c7f",
    "Kannada": "\u0c80-\u0cff",
    "Malayalam": "\u0d00-\u0d7f",
    "Sinhala": "\u0d80-\u0dff",
    "Thai": "\u0e00-\u0e7f",
    "Lao": "\u0e80-\u0eff",
    "Tibetan": "\u0f00-\u0fff",
    "Myanmar": "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f",
    "Georgian": "\u10a0-\u10ff\u1c90-\u1cbf\u2d00-\u2d2f",
    "Hangul": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7ff",
    "Ethiopic": "\u1200-\u139f\u2d80-\u2ddf",
    "Khmer": "\u1780-\u17ff",
    "Mongolian": "\u1800-\u18af",
    "Kana": "\u3031-\u3035\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9f",
    "Han": "\u2e80-\u2fdf\u3005\u3007\u3105-\u312f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff",
}
TAGGED = {  # the second part of a label such as sr-Latn, where it names a script
    **{"Latn": "Latin", "Cyrl": "Cyrillic", "Grek": "Greek", "Hebr": "Hebrew", "Arab": "Arabic", "Deva": "Devanagari"},
    **{"Beng": "Bengali", "Guru": "Gurmukhi", "Mong": "Mongolian", "Hans": "Han", "Hant": "Han", "Hani": "Han"},
}
WRITTEN_IN = {
    "Arabic": "ar arz azb ckb fa ks lrc mzn pnb ps sd ug ur",
    "Armenian": "hy",
    "Bengali": "as bn bpy",
    "Cyrillic": "av ba be bg bxr ce cv kk krc kv ky lez mhr mk mn mrj myv os ru rue sah tg tt tyv uk xal",
    "Devanagari": "bh dty gom hi mai mr ne new sa",
    "Ethiopic": "am ti",
    "Georgian": "ka xmf",
    "Greek": "el",
    "Gujarati": "gu",
    "Gurmukhi": "pa",
    "Han": "wuu yue zh",
    "Han Kana": "ja",
    "Hangul Han": "ko",
    "Hebrew": "he yi",
    "Kannada": "kn",
    "Khmer": "km",
    "Lao": "lo",
    "Latin": (
        "af als an ast bar bcl br bs ca cbk ceb co cs cy da de diq dsb eml en eo es et eu fi fr frr fy ga gd gl gn gv "
        "hif hr hsb ht hu ia id ie ilo io is it jbo jv kw la lb li lmo lt lv mg min ms mt mwl nah nap nds nl nn no oc "
        "pam pfl pl pms pt qu rm ro sc scn sco sk sl so sq su sv sw tk tl tr vec vep vi vls vo wa war yo"
    ),
    "Latin Arabic": "ku",
    "Latin Cyrillic": "az sh sr uz",
    "Malayalam": "ml",
    "Myanmar": "my",
    "Oriya": "or",
    "Sinhala": "si",
    "Tamil": "ta",
    "Telugu": "te",
    "Thaana": "dv",
    "Thai": "th",
    "Tibetan": "bo",
}
NEEDED_SCRIPT = {"ja": "Kana", "ko": "Hangul"}  # without which Han alone is Chinese
USUAL_SCRIPTS = {code: tuple(names.split()) for names, codes in WRITTEN_IN.items() for code in codes.split()}
CODES = frozenset(USUAL_SCRIPTS)
ALIASES = {"cmn": "zh", "fil": "tl", "in": "id", "iw": "he", "nb": "no"}

# Languages that short sentences do not tell apart, or that the identifier was taught little to.
KIN = tuple(
    frozenset(codes.split())
    for codes in (
        "da nn no",
        "bs hr sh sr",
        "cs sk",
        "gl pt mwl",
        "an ast es gl",
        "ca oc",
        "id jv min ms su",
        "als bar de frr lb nds pfl",
        "af fy li nds nl vls",
        "co eml it lmo nap pms sc scn vec",
        "fr wa",
        "en sco",
        "be rue uk",
        "bg mk",
        "arz ar",
        "fa lrc mzn",
        "pnb ur",
        "bh dty gom hi mai mr ne new sa",
        "ba tt",
        "kk ky",
        "az tk tr",
        "bcl ceb ilo pam tl war",
        "wuu yue zh",
        "et vep",
        "dsb hsb",
        "gd ga gv",
        "br cy kw",
        "eo ia ie io",
        "diq ku",
    )
)

# Characters that it takes to say what takes one in English, roughly; an alphabet that is not listed is counted as 1.05.
LENGTHS = {
    **dict.fromkeys(("wuu", "yue", "zh"), 0.3),
    **{"ja": 0.45, "ko": 0.5, "he": 0.8, "ar": 0.9, "arz": 0.9, "en": 1.0},
    **dict.fromkeys(("cs", "da", "et", "hr", "bs", "sr", "lt", "no", "nn", "sk", "sl", "sv"), 1.0),
    **dict.fromkeys(("de", "el", "fr", "it", "nl", "ga", "lb", "es", "ca"), 1.1),
}
ALPHABET = 1.05
# Characters in a word, for scripts without spaces.
UNSPACED = {"bo": 4.0, "ja": 2.0, "km": 4.0, "lo": 4.0, "my": 4.0, "th": 4.0, "wuu": 1.5, "yue": 1.5, "zh": 1.5}


@dataclass(frozen=True)
class Language:
    """What a label says about the text of a side.

    Args:
        label: the tag as the corpus spells it.
        code: the language's own part of it, empty where it is not known.
        scripts: names of the scripts it is written in, none where it is not known.
    """

    label: str
    code: str
    scripts: tuple[str, ...]

    @cached_property
    def is_known(self) -> bool:
        """Whether the rules that need to know the language apply."""
        return bool(self.code)

    @cached_property
    def is_spaced(self) -> bool:
        """Whether its words are parted by spaces."""
        return self.code not in UNSPACED

    @cached_property
    def characters_in_word(self) -> float:
        """Where there are no spaces: how many characters count as one word."""
        return UNSPACED.get(self.code, 1.0)

    @cached_property
    def length(self) -> float:
        """How many characters it takes for one of English."""
        return LENGTHS.get(self.code, ALPHABET)

    @cached_property
    def kin(self) -> frozenset[str]:
        """Codes of the languages it is not told apart from in a sentence, itself included."""
        return frozenset({self.code}).union(*(group for group in KIN if self.code in group))

    @cached_property
    def letters(self) -> re.Pattern[str]:
        """What finds runs of letters of its scripts."""
        return re.compile(f"[{''.join(SCRIPTS[name] for name in self.scripts)}]+")

    @cached_property
    def rivals(self) -> frozenset[str]:
        """Codes of the other languages that text in its scripts may be in; Greek, Thai and the like have none."""
        needed = {code: {NEEDED_SCRIPT[code]} if code in NEEDED_SCRIPT else set(USUAL_SCRIPTS[code]) for code in CODES}
        return frozenset(code for code in CODES - self.kin if not needed[code].isdisjoint(self.scripts))


@cache
def language(label: str) -> Language:
    """What is known about the language that a label names."""
    first, *others = label.replace("_", "-").split("-")
    code = ALIASES.get(first.lower(), first.lower())
    usual = USUAL_SCRIPTS.get(code, ())
    if not usual:
        return Language(label, "", ())
    tagged = tuple(TAGGED[part.title()] for part in others if part.title() in TAGGED)
    is_transcribed = bool(tagged) and tagged[0] not in usual  # zh-Latn: nothing else of Chinese holds for it
    return Language(label, "" if is_transcribed else code, tagged or usual)


def are_related(left: Language, right: Language) -> bool:
    """Whether the languages share so many words that a copy is no sign of a missing translation."""
    return bool(left.kin & right.kin)
