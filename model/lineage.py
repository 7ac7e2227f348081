"""What a version was made from: every part of the corpus with its digest and the terms its text is used under."""

from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from model.versions import SourceRecord
from pipeline.manifest import Manifest


def sources_of(corpus: Manifest, licences: Mapping[str, str]) -> tuple[SourceRecord, ...]:
    """The parts of all generations of a corpus, the oldest generation first.

    Args:
        corpus: what `ingest` made.
        licences: notes by origin.
    """
    return tuple(
        SourceRecord(
            split=part["split"],
            origin=part["origin"],
            location=" | ".join(map(public, part["location"].split(" | "))),
            digest=part["digest"],
            pairs=part["pairs"],
            licence=licences.get(part["origin"], ""),
        )
        for generation in corpus.chain()
        for part in generation.facts["parts"]
    )


def public(location: str) -> str:
    """A location without what may be secret in an address: who asks, and with which key.

    >>> public("https://ada:secret@example.org/a.tsv?key=1"), public("gs://bucket/a.tsv"), public("a?.tsv")
    ('https://example.org/a.tsv', 'gs://bucket/a.tsv', 'a?.tsv')
    """
    if "://" not in location:
        return location
    parts = urlsplit(location)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
