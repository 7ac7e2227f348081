"""Whether a candidate becomes champion: the rules, and a pure decision over two models' scores."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from model.bootstrap import Significance
from model.comparison import BY_VOCABULARY, DECIDES, ERRORS, Scores, are_comparable, deciding_set, shown, size_of
from model.decision import Decision, Reason
from pipeline.config import StageConfig
from pipeline.errors import InputError

RELATIONS: Final = {  # by whether less is better, and whether the score is good enough
    (False, True): "reaches the floor of",
    (False, False): "is below the floor of",
    (True, True): "keeps to the ceiling of",
    (True, False): "is above the ceiling of",
}

Finite = Annotated[float, Field(allow_inf_nan=False)]
Points = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class RegisterConfig(StageConfig):
    """When a candidate becomes champion."""

    min_bleu: float = Field(
        0.0, ge=0, le=100, allow_inf_nan=False, description="BLEU points that any champion needs, the first one too."
    )
    min_gain: float = Field(
        0.0,
        ge=0,
        le=100,
        allow_inf_nan=False,
        description="BLEU points a candidate must be ahead of the champion by more than; 0: any better score will do.",
    )
    max_p: float = Field(
        0.05,
        gt=0,
        le=1,
        description="Largest p of paired bootstrap resampling at which being ahead counts; 1: it always does.",
    )
    samples: int = Field(1000, ge=1, le=100_000, description="How often the bootstrap draws the set's sentences.")
    floors: dict[str, dict[str, Finite]] = Field(
        {},
        description="Scores that any champion needs by set and metric, {test: {chrf: 50}}; of errors (ter) the most.",
    )
    falls: dict[str, dict[str, Points]] = Field(
        {},
        description="By how much a score may be worse than the champion's, by set and metric: {dev: {bleu: 0.5}}.",
    )

    @field_validator("samples")
    @classmethod
    def _can_reach_p(cls, samples: int, info: ValidationInfo) -> int:
        if "max_p" in info.data and 1 / (samples + 1) > info.data["max_p"]:
            needed = "more samples: their number is the most that p can show, and promotion.max_p asks for less"
            raise PydanticCustomError("samples", needed)
        return samples

    @field_validator("falls")
    @classmethod
    def _can_be_compared(cls, falls: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
        if any(metric in BY_VOCABULARY for metrics in falls.values() for metric in metrics):
            why = f"metrics other than {' and '.join(BY_VOCABULARY)}, which depend on each model's vocabulary"
            raise PydanticCustomError("falls", why)
        return falls


@dataclass(frozen=True, slots=True)
class Rival:
    """The champion as a candidate meets it.

    Args:
        version: its number.
        metrics: its scores by set, on the candidate's data by the candidate's metrics.
        significance: of the difference in BLEU on the deciding set; None where no rule asks for it.
        was_scored_again: whether its stored scores were of other data or of another metric.
    """

    version: int
    metrics: Mapping[str, Scores]
    significance: Significance | None = None
    was_scored_again: bool = False


def judge(config: RegisterConfig, ours: Mapping[str, Scores], rival: Rival | None) -> Decision:
    """Compares a candidate's scores with the champion's.

    Args:
        config: the rules.
        ours: the candidate's scores by set, `{"test": {"bleu": 97.1, "bleu_signature": "...", "data_digest": "..."}}`.
        rival: the champion, None if there is none.

    Raises:
        ValueError: the scores are of different data or signatures, which no decision may rest on.

    >>> signed = {"bleu_signature": "nrefs:1", "data_digest": "d1", "sentences": 1000}
    >>> ours, theirs = {"test": {"bleu": 97.1, **signed}}, {"test": {"bleu": 96.4, **signed}}
    >>> judge(RegisterConfig(max_p=1), ours, Rival(2, theirs)).reason
    'BLEU 97.10 against 96.40 of version 2 on the same 1,000 test sentences'
    """
    name = deciding_set(ours)
    reasons = list(floors(config, ours))
    first = f"BLEU {ours[name][DECIDES]:.2f} on {size_of(ours, name)}, and there was no champion"
    if rival:
        compared = [gain(config, ours, rival, name)]
        if compared[0].is_met and rival.significance:
            compared.append(significance(config, rival.significance, name))
        first = "; ".join(reason.words for reason in compared)
        reasons += [*compared, *falls(config, ours, rival)]
    unmet = [reason.words for reason in reasons if not reason.is_met]
    return Decision(
        is_promoted=not unmet,
        reason="; ".join(unmet) or first,
        champion=rival.version if rival else None,
        reasons=tuple(reasons),
        was_scored_again=bool(rival and rival.was_scored_again),
    )


def floors(config: RegisterConfig, ours: Mapping[str, Scores]) -> Iterator[Reason]:
    """What the rules say about the candidate alone."""
    name = deciding_set(ours)
    wanted = [(name, DECIDES, config.min_bleu, "promotion.min_bleu")]
    wanted += [
        (part, metric, limit, f"promotion.floors.{part}.{metric}")
        for part, metrics in config.floors.items()
        for metric, limit in metrics.items()
    ]
    for part, metric, limit, key in wanted:
        score = ours[part][metric]
        is_met = score <= limit if metric in ERRORS else score >= limit  # a score that is no number meets neither
        if is_met and key == "promotion.min_bleu" and not limit:
            continue
        words = (
            f"{shown(metric, score)} on {size_of(ours, part)} {RELATIONS[metric in ERRORS, is_met]} {limit:g} ({key})"
        )
        yield reason_for("floor", ours, part, metric, limit=limit, is_met=is_met, words=words)


def gain(config: RegisterConfig, ours: Mapping[str, Scores], rival: Rival, name: str) -> Reason:
    """Whether the candidate is ahead of the champion on the deciding set."""
    theirs = compared(ours, rival, name, DECIDES)
    again = " (it was scored again)" if rival.was_scored_again else ""
    words = f"{against(ours, rival, name, DECIDES)} on the same {size_of(ours, name)}{again}"
    is_met = ours[name][DECIDES] - theirs > config.min_gain
    if not is_met:
        key = f"ahead by more than {config.min_gain:g} (promotion.min_gain)" if config.min_gain else "better"
        words = f"{words}, which is not {key}"
    return reason_for("gain", ours, name, DECIDES, theirs=theirs, limit=config.min_gain, is_met=is_met, words=words)


def significance(config: RegisterConfig, found: Significance, name: str) -> Reason:
    """Whether chance alone hardly makes such a gain."""
    is_met = found.p <= config.max_p
    words = f"p {found.p:.3f} in {found.samples:,} bootstrap samples"
    if not is_met:
        words = f"{words}, which is more than {config.max_p:g} (promotion.max_p): the gain may be chance"
    return Reason(
        rule="significance",
        set=name,
        metric=DECIDES,
        ours=found.p,
        theirs=None,
        limit=config.max_p,
        is_met=is_met,
        words=words,
        signature=found.signature,
        samples=found.samples,
    )


def falls(config: RegisterConfig, ours: Mapping[str, Scores], rival: Rival) -> Iterator[Reason]:
    """Whether the candidate is not too far behind the champion anywhere."""
    for name, metrics in config.falls.items():
        for metric, limit in metrics.items():
            theirs = compared(ours, rival, name, metric)
            behind = ours[name][metric] - theirs if metric in ERRORS else theirs - ours[name][metric]
            is_met = behind <= limit
            relation = "within" if is_met else "a fall beyond"
            words = f"{against(ours, rival, name, metric)} on {size_of(ours, name)}, {relation} the {limit:g} allowed"
            words = f"{words} (promotion.falls.{name}.{metric})"
            yield reason_for("fall", ours, name, metric, theirs=theirs, limit=limit, is_met=is_met, words=words)


def reason_for(rule: Any, ours: Mapping[str, Scores], name: str, metric: str, **given: Any) -> Reason:
    """A reason about a metric of a set."""
    signature = ours[name].get(f"{metric}_signature", "")
    return Reason(
        rule=rule, set=name, metric=metric, ours=ours[name][metric], signature=signature, **{"theirs": None} | given
    )


def compared(ours: Mapping[str, Scores], rival: Rival, name: str, metric: str) -> float:
    """The champion's score; raises `ValueError` where it cannot stand beside the candidate's."""
    theirs = rival.metrics.get(name, {})
    if not are_comparable(ours[name], theirs, metric):
        raise ValueError(f"scores of different data or metrics are not compared: {ours[name]} and {theirs}")
    return float(theirs[metric])


def against(ours: Mapping[str, Scores], rival: Rival, name: str, metric: str) -> str:
    """Two scores in words."""
    return f"{shown(metric, ours[name][metric])} against {rival.metrics[name][metric]:.2f} of version {rival.version}"


def needed(config: RegisterConfig, ours: Mapping[str, Scores]) -> dict[str, set[str]]:
    """The metrics by set that a comparison with a champion needs."""
    wanted = {name: set(metrics) for name, metrics in config.falls.items()}
    name = deciding_set(ours)
    return wanted | {name: wanted.get(name, set()) | {DECIDES}}


def check_rules(config: RegisterConfig, ours: Mapping[str, Scores]) -> None:
    """Raises `InputError` for a rule about a set that was not evaluated, or a metric that was not computed."""
    for key in ("floors", "falls"):
        for name, metrics in getattr(config, key).items():
            if name not in ours:
                raise InputError(
                    f"promotion.{key}", name, f"one of the sets {', '.join(ours)}", "no such set was scored"
                )
            there = sorted(one for one, score in ours[name].items() if isinstance(score, float))
            for metric in metrics:
                if metric not in there:
                    raise InputError(f"promotion.{key}.{name}", metric, f"one of the metrics {', '.join(there)}")
