"""Sequences of frames, such as features of speech or the columns of a picture, as text and back.

A sequence goes the way of all sources: in the column of text, compared and counted by its content. Its little-endian
float32 numbers are written as letters from a to p, two for each byte, the upper half first:

    [[0.5, -2.0]]      bytes 00 00 00 3f 00 00 00 c0      aaaaaadpaaaaaama

There is no other case of a letter and no sign or digit in it, so that what makes two texts the same (`pipeline.keys`)
tells any two sequences apart, and normalisation changes nothing.

Letters: S frames of a sequence, F numbers of a frame, N sequences.
"""

from binascii import hexlify, unhexlify
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Frames = npt.NDArray[np.float32]

NUMBER: Final = 8  # letters
HEXADECIMAL: Final = b"0123456789abcdef"
LETTERS: Final = b"abcdefghijklmnop"
TO_LETTERS: Final = bytes.maketrans(HEXADECIMAL, LETTERS)
NOTHING: Final = b"-" * 256  # what is none of the letters becomes none of the digits
FROM_LETTERS: Final = NOTHING[: LETTERS[0]] + HEXADECIMAL + NOTHING[LETTERS[-1] + 1 :]
VALUES: Final = pa.large_list(pa.float32())


def frame_fact(size: int) -> dict[str, int]:
    """What a manifest says of sources that are frames: their size, and nothing where they are text."""
    return {"frame_size": size} if size else {}


def frame_size(facts: Mapping[str, Any]) -> int:
    """Numbers of a frame by a manifest's facts, 0 where sources are text."""
    return int(facts.get("frame_size", 0))


def to_text(frames: npt.NDArray[Any]) -> str:
    """Frames `[S, F]` as text; -0 is 0, so that equal frames are equal text.

    >>> to_text(np.array([[0.5, -2.0]]))
    'aaaaaadpaaaaaama'
    """
    values = frames.astype("<f4") + np.float32(0)
    return hexlify(values.tobytes()).translate(TO_LETTERS).decode()


def from_text(text: str, size: int) -> Frames:
    """The frames of a text, `[S, F]`, of so many numbers each; raises `ValueError` where the text says none.

    >>> from_text("aaaaaadpaaaaaama", 2).tolist()
    [[0.5, -2.0]]
    """
    if not text or len(text) % (NUMBER * size):
        raise ValueError(f"{len(text):,} letters are not those of frames of {size} numbers")
    frames: Frames = numbers_of(text.encode()).reshape(-1, size)
    if not np.isfinite(frames).all():
        raise ValueError("a number is infinite or none at all")
    return frames


def may_be_frames(text: str) -> bool:
    """Whether a text has the letters of frames and nothing else."""
    return not text.strip(LETTERS.decode())


def numbers_of(letters: bytes) -> Frames:
    """The numbers that letters stand for; raises `ValueError` where there are others among them."""
    return np.frombuffer(unhexlify(letters.translate(FROM_LETTERS)), "<f4").astype(np.float32, copy=False)


def count_frames(text: str, size: int) -> int:
    """How many frames a text holds."""
    return len(text) // (NUMBER * size)


def from_column(texts: pa.Array) -> pa.LargeListArray:
    """The numbers of each of many texts, frame after frame."""
    texts = texts.cast(pa.large_string())
    offsets = np.frombuffer(texts.buffers()[1], np.int64)[texts.offset : texts.offset + len(texts) + 1]
    letters = texts.buffers()[2].slice(offsets[0], offsets[-1] - offsets[0]).to_pybytes() if len(texts) else b""
    ends = (offsets - offsets[:1]) // NUMBER if len(texts) else np.zeros(1, np.int64)
    return pa.LargeListArray.from_arrays(pa.array(ends), pa.array(numbers_of(letters)))
