"""An estimate, as text."""

from flows.checks.estimate import Estimate
from flows.checks.room import amount


def as_text(found: Estimate) -> str:
    """A line for each thing that a night takes."""
    about = "" if found.is_counted else "about "
    rows = {
        "pairs": f"{about}{found.pairs:,.0f} to learn from, before any is rejected",
        "tokens": f"about {found.source_tokens:,.0f} of sources, {found.target_tokens:,.0f} of targets",
        "longest": f"{found.longest[0]:,} tokens of a source, {found.longest[1]:,} of a target, in the sample",
        "steps": f"{found.steps:,}, about {found.batches:,.0f} batches an epoch: {found.epochs:,.1f} epochs",
        "parameters": f"{found.parameters:,}",
        "data": f"{span(found.prepare)} on this machine's processor",
        "training": f"{span(found.train)} on this machine's processor; a GPU is not asked",
        "disk": f"about {amount(found.data)} of data, {amount(found.model)} of the model",
    }
    if found.shuffle:
        rows["TMPDIR"] = f"about {amount(found.shuffle)} while the text is sorted"
    if found.memory:
        rows["memory"] = f"about {amount(found.memory)} in the largest process"
    return "\n".join(["estimate", *(f"  {name:<12}{said}" for name, said in rows.items())])


def span(seconds: tuple[float, float]) -> str:
    """From the least to the most time.

    >>> span((40, 100)), span((4000, 9000))
    ('40 to 100 s', '1.1 to 2.5 h')
    """
    fewest, most = seconds
    if most < 180:
        return f"{fewest:,.0f} to {most:,.0f} s"
    if most < 7200:
        return f"{fewest / 60:,.1f} to {most / 60:,.1f} min"
    return f"{fewest / 3600:,.1f} to {most / 3600:,.1f} h"
