"""The pieces of the vocabularies, and what they are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from pipeline.summaries import Counts, Sizes
from pipeline.vocabularies import Vocabularies
from pipeline.vocabulary import EOS, SPACE, UNK, Side, Vocabulary


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


NO_PIECES = PieceTable((), np.zeros(0, np.bool_))  # of sources that are frames


@dataclass(frozen=True)
class PieceTables:
    """The tables of both sides: the same object where they share a vocabulary, `NO_PIECES` for frames."""

    source: PieceTable
    target: PieceTable

    @classmethod
    def of(cls, vocabularies: Vocabularies, *, are_frames: bool = False) -> Self:
        """The tables of the vocabularies, of which sources that are frames have none."""
        target = PieceTable.of(vocabularies.target)
        if are_frames:
            return cls(NO_PIECES, target)
        return cls(target if vocabularies.are_shared else PieceTable.of(vocabularies.source), target)

    @property
    def are_shared(self) -> bool:
        """Whether an id says the same on both sides."""
        return self.source is self.target

    @property
    def sides(self) -> dict[Side, PieceTable]:
        """Both sides by name."""
        return {"source": self.source, "target": self.target}

    @property
    def sizes(self) -> Sizes:
        """Numbers of pieces."""
        return Sizes(len(self.source.texts), len(self.target.texts))

    def by_vocabulary(self, source: Counts, target: Counts) -> tuple[Counts, ...]:
        """How often each piece occurs, of one vocabulary for both sides or of two."""
        if self.are_shared:
            return (source + target,)
        return (source, target) if self.source.texts else (target,)

    def comparable(self, source: Counts, target: Counts) -> tuple[Counts, Counts]:
        """Counts of both sides in the same terms: of pieces where they share them, or else of characters."""
        if self.are_shared:
            return source, target
        places = {character: place for place, character in enumerate(self.alphabet, start=1)}  # 0: unknown
        return characters_of(source, self.source, places), characters_of(target, self.target, places)

    @cached_property
    def alphabet(self) -> list[str]:
        """The characters of all pieces of either side."""
        return sorted({character for table in self.sides.values() for character in "".join(table.texts)})


def characters_of(counts: Counts, table: PieceTable, places: Mapping[str, int]) -> Counts:
    """How often each character occurs in pieces that occur so often; what is unknown counts at place 0.

    >>> table = PieceTable(("<pad>", "<unk>", "<s>", "</s>", "ab", "a"), np.zeros(6, np.bool_))
    >>> characters_of(np.array([0, 1, 0, 0, 2, 5]), table, {"a": 1, "b": 2}).tolist()
    [1, 7, 2]
    """
    found = np.zeros(len(places) + 1, np.int64)
    found[0] = counts[UNK]
    for token in np.flatnonzero(counts[EOS + 1 :]) + EOS + 1:
        for character in table.texts[token]:
            found[places[character]] += counts[token]
    return found


def is_single_character(piece: str) -> bool:
    """Whether a piece is one visible character; text in a language that the vocabulary does not know falls into those.

    >>> [is_single_character(piece) for piece in ("▁a", "é", "▁", "ab", "<s>")]
    [True, True, False, False, False]
    """
    return len(piece.removeprefix(SPACE)) == 1
