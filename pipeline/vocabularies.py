"""The vocabularies of both sides: one that they share, or one for each.

    vocabulary.model                    both sides
    source.model, target.model          each side its own

Who asks for the vocabulary of a side need not know which of the two it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pipeline.errors import InputError
from pipeline.manifest import Manifest, write_atomically
from pipeline.vocabulary import Side, Vocabulary

MODELS = "*.model"  # all of them in a manifest
SHARED = "vocabulary.model"
OWN: dict[Side, str] = {"source": "source.model", "target": "target.model"}


@dataclass(frozen=True, slots=True)
class Vocabularies:
    """What the sources and what the targets are cut into: the same object where they share it.

    >>> vocabularies.source.encode(["Light rain."]), vocabularies.target.encode(["Pluie faible."])  # doctest: +SKIP
    ([[31, 17, 5]], [[22, 40, 5]])
    """

    source: Vocabulary
    target: Vocabulary

    @classmethod
    def shared(cls, vocabulary: Vocabulary) -> Self:
        """One vocabulary for both sides."""
        return cls(vocabulary, vocabulary)

    @classmethod
    def of(cls, models: Mapping[str, bytes]) -> Self:
        """Those whose `models` these are; raises `InputError` where some are missing or others than ours."""
        if SHARED in models:
            return cls.shared(Vocabulary.of(models[SHARED], SHARED))
        if missing := set(OWN.values()) - set(models):
            given = ", ".join(sorted(models)) or "no file"
            raise InputError("vocabulary", given, f"{SHARED}, or {' and '.join(sorted(missing))}")
        return cls(*(Vocabulary.of(models[name], name) for name in OWN.values()))

    @classmethod
    def read(cls, output: Manifest) -> Self:
        """Those in an output of `build_vocabulary` or `train`; raises `InputError` where there are none."""
        if output.paths(OWN["target"]):
            return cls(*(Vocabulary.load(output.path(name)) for name in OWN.values()))
        return cls.shared(Vocabulary.load(output.path(SHARED)))

    @property
    def are_shared(self) -> bool:
        """Whether both sides have one vocabulary."""
        return self.source is self.target

    @property
    def source_size(self) -> int | None:
        """Number of pieces of the sources' own vocabulary, None where they share the targets'."""
        return None if self.are_shared else self.source.size

    @property
    def models(self) -> dict[str, bytes]:
        """The SentencePiece models by the names of their files."""
        if self.are_shared:
            return {SHARED: self.target.proto}
        return {OWN["source"]: self.source.proto, OWN["target"]: self.target.proto}

    def write(self, folder: Path) -> None:
        """Writes the models into a folder."""
        for name, model in self.models.items():
            write_atomically(folder / name, model)
