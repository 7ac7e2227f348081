"""The pieces of a vocabulary, and which of them are single characters."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from pipeline.vocabulary import SPACE, Vocabulary


@dataclass(frozen=True, slots=True)
class PieceTable:
    """What is known of each piece, by its id.

    Args:
        texts: the pieces themselves.
        are_single_characters: [V], whether a piece has one character, the space before a word aside.
    """

    texts: tuple[str, ...]
    are_single_characters: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, vocabulary: Vocabulary) -> Self:
        """The table of a vocabulary."""
        texts = tuple(vocabulary.piece(token) for token in range(vocabulary.size))
        return cls(texts, np.array([is_single_character(text) for text in texts]))


def is_single_character(piece: str) -> bool:
    """Whether a piece is one visible character; text in a language that the vocabulary does not know falls into those.

    >>> [is_single_character(piece) for piece in ("▁a", "é", "▁", "ab", "<s>")]
    [True, True, False, False, False]
    """
    return len(piece.removeprefix(SPACE)) == 1
