"""The losses of a training as a picture in the UI."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any


def losses_markdown(png: bytes) -> str:
    """The picture inside the text, as the UI can ask nobody for it."""
    return f"![training and dev loss over the steps](data:image/png;base64,{base64.b64encode(png).decode()})"


def lowest_loss(history: Sequence[Mapping[str, Any]]) -> str:
    """What people look for in the picture.

    >>> lowest_loss([{"step": 20, "dev_loss": 2.0}, {"step": 40, "dev_loss": 1.5}, {"step": 60, "dev_loss": None}])
    'lowest dev loss 1.500, at step 40 of 60'
    """
    measured = [(row["dev_loss"], row["step"]) for row in history if row["dev_loss"] is not None]
    if not measured:
        return "no dev loss was measured"
    loss, step = min(measured)
    return f"lowest dev loss {loss:.3f}, at step {step:,} of {history[-1]['step']:,}"
