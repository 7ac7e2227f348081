"""The losses of a training as a picture in the UI."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any


def losses_markdown(png: bytes, history: Sequence[Mapping[str, Any]]) -> str:
    """The picture inside the text, as the UI can ask nobody for it, and the figures that people look for in it."""
    picture = f"![training and dev loss over the steps](data:image/png;base64,{base64.b64encode(png).decode()})"
    measured = [(row["dev_loss"], row["step"]) for row in history if row["dev_loss"] is not None]
    if not measured:
        return picture
    loss, step = min(measured)
    return f"{picture}\n\nLowest dev loss {loss:.3f} at step {step:,} of {history[-1]['step']:,}."
