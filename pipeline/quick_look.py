"""A quick look at thousands of pairs at once, which finds those that nothing can be said against.

The steps of normalisation and the rules read one sentence at a time, and are written to be read. Most sentences give
them nothing to do. Here all characters of many sentences lie in one array, and a few passes over it prove for most
pairs that no step would change a side and no rule would reject the pair. All others are put to the steps and rules:
what is not cleared here is not bad, it is only not known to be good.

Letters: N pairs, C characters of one side with a space before each text and one after the last, W words.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline import code_points, normalization
from pipeline.normalization import NormalizeConfig, Normalizer
from pipeline.rules import both_sides, one_side
from pipeline.rules.both_sides import FEWEST_COPIED, VARIANCE
from pipeline.rules.languages import Language, are_related
from pipeline.rules.one_side import LONGEST_SYLLABLES, LONGEST_UNIT
from pipeline.rules.parameters import RuleConfig

AT_ONCE = 1024  # pairs
CHARACTERS_AT_ONCE = 200_000  # of a side, so that what is kept of them stays in a core's cache
LONGEST = code_points.MOST // 2  # characters; longer texts are not looked at
SPACE = ord(" ")
ARMENIAN = "hy"
SLOTS = 1024  # that the words of a text fall into
CERTAIN = 1 - 1e-9  # of a limit: enough below it to be so in any order of operations
# A number for each character that is part of a word, whose sum stands for the word.
RANDOM = np.random.default_rng(0).integers(0, 2**64, code_points.BEYOND + 1, np.uint64) * code_points.in_words()
# The rules and steps that are thought of here: with one more of either no pair is good without having been asked about.
CONSIDERED = {
    one_side.is_empty,
    one_side.has_control_characters,
    one_side.has_lost_characters,
    one_side.is_of_bad_length,
    one_side.has_long_word,
    one_side.has_few_letters,
    one_side.is_in_wrong_script,
    one_side.repeats_words,
    both_sides.is_untranslated,
    both_sides.is_out_of_proportion,
    both_sides.is_unlikely_in_length,
    both_sides.ends_otherwise,
    both_sides.has_other_urls,
    both_sides.has_other_emails,
    both_sides.has_other_placeholders,
    both_sides.has_other_numbers,
    both_sides.is_copied_in_part,
}
CONSIDERED_STEPS = {
    normalization.repair_mojibake,
    normalization.unescape_entities,
    normalization.remove_tags,
    normalization.straighten_quotes,
    normalization.remove_invisible,
    normalization.collapse_whitespace,
}
Booleans = npt.NDArray[np.bool_]
Hashes = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]


class Texts:
    """What the rules ask about one side of many pairs.

    Attributes:
        language: the side's.
        codes: its characters; the tables take those beyond the basic plane for their last, `[C]`.
        bits: what each asks for, `[C]`.
        starts: where each text begins among the characters, and where one more would, `[N + 1]`.
        lengths: of each text in characters, `[N]`.
        spaces: where words end, with the first before the first of them, `[W + 1]`.
        first: where the words of each text begin among all, `[N + 1]`.
        hashes_before: sum of the numbers of all characters before each, `[C + 1]`.
        counts_before: sum of what is counted of them, `[C + 1]`.
    """

    def __init__(self, texts: Sequence[str], language: Language, config: NormalizeConfig) -> None:
        self.language = language
        looked_at = [text if len(text) <= LONGEST else "" for text in texts]
        self.lengths = np.fromiter(map(len, looked_at), np.int64, len(looked_at))
        self.starts = 1 + np.concatenate([[0], np.cumsum(self.lengths + 1)])
        joined = f" {' '.join(looked_at)} ".encode("utf-32-le")
        self.codes = np.frombuffer(joined, np.uint32).astype(np.intp)
        self.bits = code_points.kinds(config).take(self.codes, mode="clip")
        self.spaces = np.flatnonzero(self.codes == SPACE)
        self.first = np.searchsorted(self.spaces, self.starts - 1)
        self.hashes_before = running(RANDOM.take(self.codes, mode="clip"))
        self.counts_before = running(code_points.weights(language).take(self.codes, mode="clip"))

    @cached_property
    def words(self) -> Hashes:
        """A number for what is between two spaces, `[W]`: the same for the same word, and seldom for two others.

        Punctuation and the order of letters do not count. Taking two words for one costs a look by the rules, no more.
        """
        numbers: Hashes = np.diff(self.hashes_before[self.spaces])
        return numbers

    @cached_property
    def sums(self) -> Hashes:
        """A number for each text, `[N]`, which as that of a word is the same for the same text."""
        numbers: Hashes = np.diff(self.hashes_before[self.starts])
        return numbers

    def are_acceptable(self, config: RuleConfig) -> Booleans:
        """Which texts no rule about one side rejects, `[N]`."""
        language = self.language
        counts = np.diff(self.counts_before[self.starts])
        letters = code_points.field(counts, code_points.LETTERS)
        word_counts = np.diff(self.first)
        visible = self.lengths - word_counts + 1
        words = word_counts if language.is_spaced else np.maximum(1, visible / language.characters_in_word)
        longest = np.maximum.reduceat(np.diff(self.spaces) - 1, self.first[:-1])
        accepted = ~self.are_unusual() & (letters >= config.min_letters * visible)
        accepted &= (self.lengths >= config.min_characters) & (self.lengths <= config.max_characters)
        accepted &= (words >= config.min_words) & (words <= config.max_words)
        accepted &= longest <= config.max_word_characters
        if language.scripts:
            own = code_points.field(counts, code_points.OWN) / min(1, language.length)
            foreign = code_points.field(counts, code_points.FOREIGN)
            accepted &= (foreign == 0) | (CERTAIN * own >= config.min_script * (own + foreign))
        return accepted & ~self.may_repeat(config.max_repeats)

    def are_unusual(self) -> Booleans:
        """Which texts have a character, or two in a row, that a step or rule may act on; empty ones have two spaces."""
        before, after = self.bits[:-1], self.bits[1:]
        is_unusual = (before << 1) & after & code_points.FOLLOWING != 0
        is_unusual |= (after & code_points.DOUBLED != 0) & (self.codes[:-1] == self.codes[1:])
        is_unusual |= after & code_points.UNUSUAL != 0
        found: Booleans = np.logical_or.reduceat(is_unusual, self.starts[:-1] - 1)  # `after` begins at 1, as texts do
        return found

    def may_repeat(self, limit: int) -> Booleans:
        """Which texts may have something more than so many times in a row, `[N]`."""
        may = np.zeros(len(self.lengths), bool)
        items: npt.NDArray[Any] = self.words if self.language.is_spaced else self.codes
        first = self.first if self.language.is_spaced else self.starts
        units = range(1, LONGEST_UNIT + 1) if self.language.is_spaced else range(2, LONGEST_SYLLABLES + 1)
        for unit in units if limit else ():
            is_same = np.zeros(len(items), bool)
            is_same[unit:] = items[unit:] == items[:-unit]
            may |= np.diff(running(is_same)[first]) >= limit * unit
        return may

    def digit_runs(self) -> tuple[Ints, Ints]:
        """How many digits and ends of numbers each text has, `[N]`, and all of those in a row, an end as 0."""
        is_digit = self.bits & code_points.DIGIT != 0
        is_part = is_digit.copy()
        is_part[1:] |= is_digit[:-1]
        parts = np.flatnonzero(is_part)
        return np.diff(np.searchsorted(parts, self.starts)), self.codes[parts] * is_digit[parts]

    def small_words(self) -> tuple[Ints, Hashes]:
        """For each word in small letters, as `both_sides.SMALL_WORD` has it, the number of its text and its own."""
        is_inside = self.bits & code_points.IN_WORD != 0
        borders = 1 + np.flatnonzero(is_inside[1:] != is_inside[:-1])
        starts, ends = borders[::2], borders[1::2]
        counts = self.counts_before[ends] - self.counts_before[starts]
        is_small = (code_points.field(counts, code_points.LARGE) == 0) & (ends - starts > 1)
        is_small &= code_points.field(counts, code_points.SMALL) > 0
        starts, ends = starts[is_small], ends[is_small]
        return np.searchsorted(self.starts, starts, side="right") - 1, self.hashes_before[ends] - self.hashes_before[
            starts
        ]


def running(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The sum of all values before each, and of all of them; it wraps, and differences do not mind."""
    sums = np.empty(len(values) + 1, np.int64 if values.dtype == bool else values.dtype)
    sums[0] = 0
    np.cumsum(values, out=sums[1:])
    return sums


def find_good(
    config: RuleConfig,
    normalize: NormalizeConfig,
    languages: tuple[Language, Language],
    sources: Sequence[str],
    targets: Sequence[str],
) -> Booleans:
    """Which pairs are normalised already and pass every rule for certain, `[N]`."""
    rules = {*one_side.SIDE_RULES, *both_sides.PAIR_RULES}
    if not (rules <= CONSIDERED and set(Normalizer(normalize).steps) <= CONSIDERED_STEPS):
        return np.zeros(len(sources), bool)
    found = [np.zeros(0, bool)]
    for start, end in parts(sources, targets):
        left, right = (
            Texts(sources[start:end], languages[0], normalize),
            Texts(targets[start:end], languages[1], normalize),
        )
        good = left.are_acceptable(config) & right.are_acceptable(config)
        good &= have_likely_lengths(config, left, right)
        if config.same_ending != "off":
            good &= ~may_end_otherwise(config, left, right)
        if config.same_numbers:
            good &= have_same_numbers(left, right)
        if config.max_copied < 1 and not are_related(*languages):
            good &= ~may_be_copied(config, left, right)
        if not config.allow_identical:
            good &= (left.lengths != right.lengths) | (left.sums != right.sums)
        found.append(good)
    return np.concatenate(found)


def parts(sources: Sequence[str], targets: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where the pairs that are looked at together begin and end."""
    lengths = np.fromiter(map(max, map(len, sources), map(len, targets)), np.int64, len(sources))
    ends = np.cumsum(np.minimum(lengths, LONGEST))
    start = before = 0
    while start < len(ends):
        end = int(np.searchsorted(ends, before + CHARACTERS_AT_ONCE, side="right"))
        end = min(max(end, start + 1), start + AT_ONCE)
        yield start, end
        start, before = end, int(ends[end - 1])


def have_likely_lengths(config: RuleConfig, left: Texts, right: Texts) -> Booleans:
    """Which pairs no rule about lengths rejects."""
    lengths = left.lengths + config.ratio_slack, right.lengths + config.ratio_slack
    likely: Booleans = np.maximum(*lengths) <= config.max_ratio * np.minimum(*lengths)
    limits = [limit for limit in (config.max_deviation, config.max_deviation_unlike) if limit]
    if limits and left.language.is_known and right.language.is_known:
        # The square of `both_sides.deviation`, which has no root to take and nothing to divide by.
        in_english = left.lengths / left.language.length, right.lengths / right.language.length
        variance = VARIANCE / min(left.language.length, right.language.length, 1)
        most = min(limits) ** 2 * variance * (in_english[0] + in_english[1]) / 2
        likely &= (in_english[0] - in_english[1]) ** 2 <= CERTAIN * most
    return likely


def have_same_numbers(left: Texts, right: Texts) -> Booleans:
    """Which pairs have the same runs of digits in the same order."""
    (many, ours), (others, theirs) = left.digit_runs(), right.digit_runs()
    same: Booleans = many == others
    owners = np.repeat(np.arange(len(many)), many * same)
    differs = ours[np.repeat(same, many)] != theirs[np.repeat(same, others)]
    same[owners[differs]] = False
    return same


def may_be_copied(config: RuleConfig, left: Texts, right: Texts) -> Booleans:
    """Which pairs may have too many words in small letters in common; one in another's slot counts as the same."""
    owners, words = zip(left.small_words(), right.small_words(), strict=True)
    slots = [owner * SLOTS + (word % SLOTS).astype(np.int64) for owner, word in zip(owners, words, strict=True)]
    may = np.zeros(len(left.lengths), bool)
    for owner, own, others in zip(owners, slots, slots[::-1], strict=True):
        is_taken = np.zeros(len(may) * SLOTS, bool)
        is_taken[others] = True
        copied = np.bincount(owner[is_taken[own]], minlength=len(may))
        small = np.bincount(owner, minlength=len(may))
        may |= (copied >= FEWEST_COPIED) & (copied > config.max_copied * small)
    return may


def may_end_otherwise(config: RuleConfig, left: Texts, right: Texts) -> Booleans:
    """Which pairs may have ends of two kinds.

    A letter or a digit at the end is no mark, except in Armenian, whose mark of a question stands within a word.
    """
    ends = [side.starts[1:] - 2 for side in (left, right)]
    may: Booleans = left.codes[ends[0]] != right.codes[ends[1]]
    if config.same_ending == "kind" and ARMENIAN not in (left.language.code, right.language.code):
        for side, end in zip((left, right), ends, strict=True):
            may &= side.bits[end] & (code_points.LETTER | code_points.DIGIT) == 0
    return may
