"""What is known of the champion for the report: its scores and translations of the sentences that ours were made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from model.comparison import BY_VOCABULARY, Scores, are_comparable, have_same_vocabulary
from model.decision import Decision
from model.rival import Meeting, columns_of, output_of, table_of
from model.versions import Version


@dataclass(frozen=True, slots=True)
class Champion:
    """The champion beside the version.

    Args:
        metrics: its scores by set, only of sets whose sentences are ours.
        hypotheses: its translations by set, in our order.
        is_of_same_vocabulary: whether figures per token of the vocabulary can be compared.
    """

    metrics: Mapping[str, Scores] = field(default_factory=dict)
    hypotheses: Mapping[str, Sequence[str]] = field(default_factory=dict)
    is_of_same_vocabulary: bool = False

    def score(self, ours: Mapping[str, Scores], name: str, metric: str) -> float | None:
        """Its score, None where it has none that can stand beside ours."""
        theirs = self.metrics.get(name, {})
        if metric in BY_VOCABULARY and not self.is_of_same_vocabulary:
            return None
        return float(theirs[metric]) if are_comparable(ours[name], theirs, metric) else None


NOBODY = Champion()


def champion_of(version: Version, decision: Decision, meeting: Meeting) -> Champion:
    """The champion of a decision; nobody where there was none.

    Of sets that no rule asked for it is taken as it was registered, where it was scored on our sentences.
    """
    rival = meeting.rival
    if decision.champion is None or rival is None or rival.version != decision.champion:
        return NOBODY
    champion = meeting.registry.get(decision.champion)
    metrics: dict[str, Scores] = dict(rival.metrics)
    tables = {name: meeting.outputs[output_of(name)] for name in metrics}
    there = {file.path for file in champion.files}
    for name in version.metrics.keys() - metrics.keys():
        if table_of(name) in there and are_comparable(version.metrics[name], champion.metrics.get(name, {})):
            metrics[name] = champion.metrics[name]
            tables[name] = meeting.registry.fetch(champion, meeting.folder, only=[table_of(name)]) / table_of(name)
    hypotheses = {name: columns_of(path)["hypothesis"] for name, path in tables.items()}
    return Champion(metrics, hypotheses, have_same_vocabulary(version, champion))
