"""Sentences of the deciding set with what the version and the champion made of them, for the UI."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flows.artifacts.markdown import plain, table, written

SHOWN: Final = 300  # characters of a text, as those of the version were cut
FRAMES: Final = "*(frames)*"  # instead of sources that are numbers


def samples_markdown(
    samples: Mapping[str, Sequence[Mapping[str, Any]]],
    version: int,
    *,
    champion: int | None = None,
    theirs: Sequence[str] | None = None,
    are_frames: bool = False,
) -> str:
    """The best, the median and the worst translations, each in a small table.

    Args:
        samples: by kind: row, chrF, source, reference and hypothesis, as `evaluate` chose them.
        version: whose they are.
        champion: the version beside it.
        theirs: the champion's translations of the whole set; None where there are none of the same sentences.
        are_frames: whether the sources are no text.
    """
    parts = []
    for kind, of in samples.items():
        for one in of:
            rows = [
                ["source", FRAMES if are_frames else written(one["source"])],
                ["reference", written(one["reference"])],
                [f"version {version}", written(one["hypothesis"])],
            ]
            if champion is not None and theirs is not None:
                rows.append([f"version {champion}", written(theirs[one["row"]][:SHOWN])])
            parts.append(table([plain(kind), f"chrF {one['chrf']:.1f}"], rows, words=2))
    return "\n\n".join(parts) or "No sentence was translated."
