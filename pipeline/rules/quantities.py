"""Numbers that a translation must keep, compared with patience for how people write them.

    1,914.00 and 1 914,00; 3 p.m. and 15:00; 11/26/17 and 26. November 2017; 20th century and XX век; 120,000 and 12万;
    1.5 million and 1 500 000; 1987 and พ.ศ. 2530

A difference counts only where it is clear: a number above a dozen, which few would spell out, is missing; or a smaller
one is, and the side that lacks it writes digits too; or several are.

    >>> are_different("incl. 19% Tax plus shipping 956.00€", "inkl. 19% MwSt. zzgl. Versand 30.00€")
    True
    >>> are_different("on Tuesday, 30 July, 3:00 p.m.", "am 30.07. um 15.00 Uhr")
    False
    >>> are_different("2 dogs", "zwei Hunde")
    False
"""

import re
import unicodedata

ANY_DIGITS = re.compile(r"\d+")
# In UTF-8, whatever is neither a Western digit nor the first byte of a script that has digits of its own.
NO_DIGITS = bytes(code for code in range(256) if not (0x30 <= code <= 0x39 or code >= 0xD9) or code == 0xE2)
SEPARATOR = re.compile(r"(?<=\d)[\s.,'’:/٫٬–-](?=\d)")
AMOUNT = re.compile(r"\d+(?:[\s.,'’٫٬]\d+)*")
DATE = (
    re.compile(  # 11/26/2017, 2017-11-26, 26. 11. 2017, 26.11.; 11月, 11월 and tháng 11, whose other name has no digits
        r"\b\d{1,4}([/.-])\s?\d{1,2}\1(?:\s?\d{1,4}\b|(?<=\.)(?!\d))|\d{1,2}(?=\s?[月월])|\btháng \d{1,2}\b",
        re.IGNORECASE,
    )
)
AFTERNOON = re.compile(r"\d\s?p\.?\s?m\b|μ\.?μ|午後|下午|오후", re.IGNORECASE)
ROMAN = re.compile(r"\b[IVXLCDM]+\b")
ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
HAN_NUMERAL = re.compile("[〇一二三四五六七八九十百千万億亿]")
MYRIAD = re.compile("[万萬億亿만억]")
BUDDHIST_ERA = 543  # years from its beginning to that of ours: what Thai counts from
CENTURIES = ("18", "19", "20")
DOZEN = 12


def are_different(source: str, target: str) -> bool:
    """Whether a number of one side is clearly missing on the other."""
    left, right = numbers_in(source), numbers_in(target)
    if left == right:
        return False
    lost = without_months(missing(left, right, source, target), source)
    gained = without_months(missing(right, left, target, source), target)
    if lost and gained:
        return True
    return is_clear(lost, right) or is_clear(gained, left)


def is_clear(lost: list[str], others: list[str]) -> bool:
    """Whether it is unlikely that the other side has in words what it lacks in digits."""
    if any(len(number) > 2 or int(number) > DOZEN for number in lost):
        return True
    return len(lost) > 1 or bool(lost and others)


def may_have_numbers(encoded: bytes) -> bool:
    """Whether text in UTF-8 has what may be digits, which most sentences have not: ten times as fast as looking."""
    return bool(encoded.translate(None, NO_DIGITS))


def numbers_in(text: str) -> list[str]:
    """Runs of digits in Western ones, without leading zeros: 12, 914, 0 is none.

    A single digit after a letter is no number: m2, H2O, wei3.
    """
    shown = plain(text)
    runs = (run[0] for run in ANY_DIGITS.finditer(shown) if len(run[0]) > 1 or not shown[: run.start()][-1:].isalpha())
    return [number for run in runs if (number := western(run).lstrip("0"))]


def plain(text: str) -> str:
    """The text with the superscripts of areas and volumes as digits."""
    return text if text.isascii() else text.replace("²", "2").replace("³", "3")


def western(digits: str) -> str:
    """Digits of any script as 0 to 9."""
    return digits if digits.isascii() else "".join(str(unicodedata.digit(sign)) for sign in digits)


def missing(numbers: list[str], others: list[str], text: str, other: str) -> list[str]:
    """The numbers that are not on the other side, in any of the forms they may take there.

    Args:
        numbers: those of a side.
        others: those of the other side.
        text: the side.
        other: the other side.
    """
    absent = [number for number in numbers if number not in others]
    if not absent:
        return []
    joined = " ".join(map(western, ANY_DIGITS.findall(SEPARATOR.sub("", plain(other)))))
    absent = [number for number in absent if not is_written_otherwise(number, others, joined, other)]
    scaled = in_other_units(text, other) if absent else set()
    return [number for number in absent if number not in scaled]


def is_written_otherwise(number: str, others: list[str], joined: str, other: str) -> bool:
    """Whether the other side has the number as a part of one, as a year or hour in short, or in other numerals."""
    significant = number.rstrip("0")
    has_thousands = len(number) - len(significant) >= 3  # 120,000 may be 12万 or 120 thousand
    if number in joined or (has_thousands and significant in joined):
        return True
    if len(number) == 4 and (is_year_in_short(number, others) or is_year_of_another_era(int(number), others)):
        return True
    if len(number) > 4:
        return False
    return (
        is_other_hour(int(number), others, other)
        or int(number) in map(roman, ROMAN.findall(other))
        or HAN_NUMERAL.search(other) is not None
    )


def in_other_units(text: str, other: str) -> set[str]:
    """The numbers of a side in amounts that the other has in thousands, millions or 万.

    >>> sorted(in_other_units("1 500 000 habitants", "1.5 million inhabitants"))
    ['1', '500']
    """
    theirs = {digits.rstrip("0"): digits for digits in sorted(map(digits_in, AMOUNT.findall(other)))}  # the longest
    has_myriads = MYRIAD.search(text + other) is not None
    found: set[str] = set()
    for amount in AMOUNT.findall(text):
        digits = digits_in(amount)
        same = theirs.get(digits.rstrip("0"), "")
        if same and (has_myriads or max(digits, same, key=len).endswith("000")):
            found.update(numbers_in(amount))
    return found


def digits_in(amount: str) -> str:
    """An amount without what separates its digits, and without zeros in front."""
    return western("".join(ANY_DIGITS.findall(amount))).lstrip("0")


def without_months(numbers: list[str], text: str) -> list[str]:
    """The numbers of a side without the small ones in its dates, which the other side may have by name."""
    in_dates = {number for date in DATE.finditer(text) for number in numbers_in(date[0])} if numbers else set()
    return [number for number in numbers if number not in in_dates or int(number) > DOZEN]


def is_year_in_short(year: str, others: list[str]) -> bool:
    """Whether the other side has the year without its century."""
    return year[:2] in CENTURIES and year[2:].lstrip("0") in others


def is_year_of_another_era(year: int, others: list[str]) -> bool:
    """Whether one side has the year of the Buddha, the other that of Christ."""
    return str(year + BUDDHIST_ERA) in others or str(year - BUDDHIST_ERA) in others


def is_other_hour(hour: int, others: list[str], other: str) -> bool:
    """Whether it is the hour of an afternoon that the other side counts on the other clock."""
    if DOZEN < hour < 2 * DOZEN:
        return str(hour - DOZEN) in others and AFTERNOON.search(other) is not None
    return hour < DOZEN and str(hour + DOZEN) in others


def roman(numeral: str) -> int:
    """Value of a Roman numeral.

    >>> roman("XIX")
    19
    """
    values = [ROMAN_VALUES[sign] for sign in numeral]
    return sum(-value if value < after else value for value, after in zip(values, [*values[1:], 0], strict=True))
