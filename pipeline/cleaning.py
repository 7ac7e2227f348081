"""From raw pairs to pairs worth learning from: normalisation, the rules, and language id.

>>> judge(CleanConfig(), ("en", "fr"), SentencePair("Light  rain.", ""))
Verdict(pair=SentencePair(source='Light rain.', target=''), reason='empty')
"""

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any, Literal

from pydantic import Field

from pipeline import quick_look
from pipeline.frames import count_frames
from pipeline.holdout import HoldOutConfig
from pipeline.normalization import NormalizeConfig, Normalizer
from pipeline.records import SentencePair, Verdict
from pipeline.rules import both_sides, one_side
from pipeline.rules.language_id import LanguageIdConfig, LanguageIdentifier
from pipeline.rules.languages import language
from pipeline.rules.parameters import RuleConfig, Side

WORTH_A_LOOK = 256  # pairs


class CleanConfig(RuleConfig):
    """Which pairs are kept, and into how many files they go."""

    normalize: NormalizeConfig = Field(NormalizeConfig(), description="What is rewritten before pairs are judged.")
    language_id: LanguageIdConfig = Field(LanguageIdConfig(), description="When a side is in another language.")
    deduplicate: Literal["exact", "loose"] = Field(
        "exact", description="Which pairs count as one: loose forgets case, punctuation, spaces and values of numbers."
    )
    max_targets_per_source: int = Field(
        0, ge=0, le=1_000_000, description="Pairs that may share a source side; 0: any number."
    )
    max_rejected: float = Field(
        0.9, ge=0, le=1, description="Share of a generation that the rules may reject before the night stops."
    )
    hold_out: HoldOutConfig = Field(HoldOutConfig(), description="Sizes of the sets that are held out by content hash.")
    shards: int = Field(8, ge=1, le=4096, description="Files of clean training pairs.")

    def canonical(self) -> dict[str, Any]:
        """The configuration without the limit that stops: it decides whether there is an output, not what it is."""
        return {name: value for name, value in super().canonical().items() if name != "max_rejected"}


class Judge:
    """Normalises pairs and puts them to every rule; made once a worker, as it holds what is compiled and loaded.

    Args:
        config: switches and thresholds.
        languages: labels of the source and the target side, such as `en` and `pt-BR`; what needs to know a language is
            left out for one that is not known.
    """

    def __init__(self, config: CleanConfig, languages: tuple[str, str]) -> None:
        self.config = config
        self.languages = language(languages[0]), language(languages[1])
        self.normalize = Normalizer(config.normalize)
        self.identify = LanguageIdentifier(config.language_id, self.languages) if config.language_id.is_on else None

    def __call__(self, pairs: Sequence[SentencePair]) -> list[Verdict]:
        """One verdict a pair, in their order."""
        good = self.look(pairs)
        verdicts = [
            Verdict(pair, None) if is_good else self.judge(pair) for pair, is_good in zip(pairs, good, strict=True)
        ]
        if self.identify is None:
            return verdicts
        kept = [place for place, verdict in enumerate(verdicts) if verdict.reason is None]
        for place, is_wrong in zip(kept, self.identify([verdicts[place].pair for place in kept]), strict=True):
            if is_wrong:
                verdicts[place] = Verdict(verdicts[place].pair, "wrong_language")
        return verdicts

    def look(self, pairs: Sequence[SentencePair]) -> Iterable[bool]:
        """Which pairs are good for certain: none of a few, as the tables would cost more than they save."""
        if len(pairs) < WORTH_A_LOOK:
            return repeat(False, len(pairs))
        sources, targets = [pair.source for pair in pairs], [pair.target for pair in pairs]
        good: list[bool] = quick_look.find_good(
            self.config, self.config.normalize, self.languages, sources, targets
        ).tolist()
        return good

    def judge(self, pair: SentencePair) -> Verdict:
        """The verdict of the rules alone: the first reason found, the cheap ones first."""
        clean = self.normalized(pair)
        source, target = Side(clean.source, self.languages[0]), Side(clean.target, self.languages[1])
        for side in (source, target):
            if reason := one_side.fault_of(self.config, side):
                return Verdict(clean, reason)
        for agreement in both_sides.PAIR_RULES:
            reason = agreement(self.config, source, target)
            if reason is not None:
                return Verdict(clean, reason)
        return Verdict(clean, None)

    def normalized(self, pair: SentencePair) -> SentencePair:
        """The pair as it is judged, hashed and learnt from; most are so already."""
        source, target = self.normalize(pair.source), self.normalize(pair.target)
        return pair if source is pair.source and target is pair.target else SentencePair(source, target)


class FrameJudge:
    """Judges pairs of frames and text: the text by the rules about one side, the frames by their number.

    Args:
        config: switches and thresholds.
        languages: labels of both sides; nothing is asked about the frames' own.
        size: numbers of a frame.
    """

    def __init__(self, config: CleanConfig, languages: tuple[str, str], size: int) -> None:
        self.config = config
        self.size = size
        self.language = language(languages[1])
        self.normalize = Normalizer(config.normalize)
        sides = language("frames"), self.language
        self.identify = LanguageIdentifier(config.language_id, sides) if config.language_id.is_on else None

    def __call__(self, pairs: Sequence[SentencePair]) -> list[Verdict]:
        """One verdict a pair, in their order."""
        verdicts = [self.judge(pair) for pair in pairs]
        texts = [SentencePair("", verdict.pair.target) for verdict in verdicts]
        foreign = self.identify(texts) if self.identify else repeat(False, len(texts))
        return [
            Verdict(verdict.pair, "wrong_language") if is_foreign and verdict.reason is None else verdict
            for verdict, is_foreign in zip(verdicts, foreign, strict=True)
        ]

    def judge(self, pair: SentencePair) -> Verdict:
        """The verdict without language id."""
        clean = SentencePair(pair.source, self.normalize(pair.target))
        frames = count_frames(clean.source, self.size)
        if frames < self.config.min_frames:
            return Verdict(clean, "too_few_frames")
        if frames > self.config.max_frames:
            return Verdict(clean, "too_many_frames")
        return Verdict(clean, one_side.fault_of(self.config, Side(clean.target, self.language)))


def judge(config: CleanConfig, languages: tuple[str, str], pair: SentencePair) -> Verdict:
    """The verdict on one pair."""
    return Judge(config, languages)([pair])[0]
