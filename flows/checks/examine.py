"""Everything that can be known before a night, and what it will cost: `nightshift check`."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from flows.check import LOOKS
from flows.checks.clocks import find_servers
from flows.checks.estimate import Estimate, estimate
from flows.checks.finding import Finding, looked, ok, warning, wrong_input
from flows.checks.rights import find_rights
from flows.checks.room import find_room
from flows.checks.sources import find_sources
from flows.checks.traces import without_traces
from flows.settings import RetrainConfig
from pipeline.errors import InputError
from pipeline.sampling import Sample
from pipeline.sources import check_corpus


def examine(config: RetrainConfig, tell: Callable[[Finding], None]) -> tuple[list[Finding], Estimate | None]:
    """Looks at everything, whatever it finds on the way.

    Args:
        config: of the night.
        tell: called with each finding as it comes.

    Returns:
        All findings, and the estimate where the sources can be read.
    """
    findings: list[Finding] = []
    samples: list[Sample] = []

    def hear(some: Iterator[Finding]) -> None:
        for one in some:
            findings.append(one)
            tell(one)

    hear(looked("corpus", partial(check_corpus, config.corpus)))
    hear(find_sources(config.corpus, config.clean, samples))
    places = [f"{config.registry}/{config.name}", config.night.lease]
    folders = [Path(place).expanduser() for place in places if place and "://" not in place]
    with without_traces(config.workspace / config.name, *folders):
        for subject, look in LOOKS:
            if subject != "corpus":  # whose sources were looked at one by one
                hear(looked(subject, partial(look, config), "can be used"))
    hear(find_rights(config))
    hear(find_servers(config))
    expected: Estimate | None = None
    training = [one for one in samples if one.part.split == "train"]
    if config.corpus.frame_size:
        hear(iter([warning("estimate", "none for sources that are frames")]))
    elif any(one.pairs for one in training):
        try:
            expected = estimate(config, training)
        except InputError as error:
            hear(iter([wrong_input(error)]))
        else:
            hear(find_room(config, expected, samples))
            hear(find_lengths(config, expected))
    elif training:
        hear(iter([warning("estimate", "none before the training text is read")]))
    return findings, expected


def find_lengths(config: RetrainConfig, expected: Estimate) -> Iterator[Finding]:
    """Whether the data are seen at all, and not for ever."""
    if expected.epochs < 1:
        words = f"= {config.train.steps:,}: {expected.epochs:.2f} epochs, so some pairs are never seen"
        yield warning("train.steps", words)
    else:
        yield ok("train.steps", f"= {config.train.steps:,}: {expected.epochs:,.1f} epochs")
