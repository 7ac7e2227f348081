"""Which files a source is made of, and which of them belong together."""

from pipeline.errors import InputError
from pipeline.reading.globs import first_stranger
from pipeline.reading.locations import Location, locate
from pipeline.reading.source_kinds import FileSource, Source, TextSource


def places_of(name: str, source: Source) -> list[tuple[Location, ...]]:
    """The files of a source, one tuple a part; none for a package.

    Args:
        name: dotted name of the source, for messages: `corpus.train[0]`.
        source: any source.

    Raises:
        InputError: there is no such file, or two patterns do not match the same files.
    """
    if isinstance(source, TextSource):
        return aligned(name, source)
    if isinstance(source, FileSource) and source.path:
        return [(file,) for file in locate(f"{name}.path", source.path, source.sha256)]
    return []


def aligned(name: str, source: TextSource) -> list[tuple[Location, ...]]:
    """Pairs of the files that belong together, by their names."""
    sources = locate(f"{name}.source", source.source, source.source_sha256)
    targets = locate(f"{name}.target", source.target, source.target_sha256)
    if len(sources) != len(targets):
        allowed = f"as many files as {source.source} matches, {len(sources):,}, but {len(targets):,} match"
        raise InputError(f"{name}.target", source.target, allowed, "a file of one language is missing")
    if len(sources) > 1:
        shown = [file.shown for file in sources], [file.shown for file in targets]
        stranger = first_stranger((source.source, source.target), shown)
        if stranger is not None:
            allowed = f"the file that belongs to {shown[0][stranger]}"
            cause = f"{shown[1][stranger]} is next by name: a file of one language is missing"
            raise InputError(f"{name}.target", source.target, allowed, cause)
    return list(zip(sources, targets, strict=True))
