"""Translation memories in TMX, parsed as they stream in, without entities, network or document type definitions."""

from collections.abc import Iterator
from typing import Any

from pipeline.errors import InputError
from pipeline.readers.language_tags import best_match
from pipeline.reading.opening import Content, opened
from pipeline.reading.parts import BLOCK, SHOWN, Block, Blocks, Part
from pipeline.records import SentencePair, Unreadable

LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
FARTHEST = 16 << 20  # bytes from one entry to the next, all of which are in memory, many times as large
CODES = {"bpt", "ept", "it", "ph", "ut"}  # what stands in them is markup of the document, not its text


def read(part: Part) -> Blocks:
    """A pair for each entry that has both languages.

    Raises:
        InputError: no XML, no TMX, or a document that declares entities.
    """
    block: Block = []
    with opened(part.files[0]) as content:
        for entry in entries_of(content):
            block.append(pair_of(part, entry))
            if len(block) == BLOCK:
                yield block
                block = []
        if block:
            yield block


class Metered:
    """A file as the parser reads it, in which entries must come now and then."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self.since_entry = 0

    def read(self, size: int) -> bytes:
        """The next bytes; raises `InputError` where there are too many without an entry."""
        data = self.content.read(size)
        self.since_entry += len(data)
        if self.since_entry > FARTHEST:
            file = self.content.file
            cause = f"{FARTHEST:,} bytes without one would fill the memory"
            raise InputError(file.parameter, file.location, "a TMX file with entries of a sensible size", cause)
        return data


def entries_of(content: Content) -> Iterator[Any]:
    """The entries (`tu`), each of which is forgotten when the next is asked for."""
    from lxml import etree

    file = content.file
    # Without huge_tree the library itself refuses what is absurdly deep or long.
    metered = Metered(content)
    events = etree.iterparse(
        metered, tag="{*}tu", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    is_first = True
    try:
        for _, entry in events:
            metered.since_entry = 0
            if is_first:
                check_document(content, entry.getroottree())
                is_first = False
            yield entry
            forget(entry)
    except etree.XMLSyntaxError as error:
        if "amplification" in str(error.msg):  # the parser counts what entities would become, used or not
            raise of_entities(content) from error
        cause = f"{error.msg}: damaged, or not XML at all?"
        raise InputError(file.parameter, file.location, "a TMX file", cause) from error
    if is_first:
        check_document(content, events.root.getroottree())


def check_document(content: Content, document: Any) -> None:
    """Raises `InputError` for another kind of document, and for one that declares entities."""
    file = content.file
    declared = document.docinfo.internalDTD
    if declared is not None and next(declared.iterentities(), None) is not None:
        raise of_entities(content)
    root = name_of(document.getroot())
    if root != "tmx":
        raise InputError(file.parameter, file.location, "a TMX file", f"its outermost element is <{root}>")


def of_entities(content: Content) -> InputError:
    """Says why a document with entities is not read."""
    cause = "its document type declares entities, with which a small file can fill the memory or name other files"
    return InputError(content.file.parameter, content.file.location, "a TMX file without entities of its own", cause)


def forget(entry: Any) -> None:
    """Frees an entry and all before it, so that memory does not grow with the file."""
    entry.clear()
    for element in (entry, *entry.iterancestors()):
        parent = element.getparent()
        while parent is not None and element.getprevious() is not None:
            del parent[0]


def pair_of(part: Part, entry: Any) -> SentencePair | Unreadable:
    """The pair of one entry: the first variant of each language."""
    variants: dict[str, str | None] = {}
    for variant in entry.iterchildren("{*}tuv"):
        segment = next(variant.iterchildren("{*}seg"), None)
        if segment is not None:
            variants.setdefault(variant.get(LANGUAGE) or variant.get("lang") or "", text_of(segment))
    labels = [best_match(language, variants) for language in part.sides]
    if None in labels or labels[0] == labels[1]:
        return Unreadable("no_translation", *shown_of(variants, labels))
    source, target = (variants[str(label)] for label in labels)
    if source is None or target is None:
        if part.policy.malformed == "error":
            raise of_unknown_entity(part, entry)
        return Unreadable("malformed", *shown_of(variants, labels))
    if max(len(source.encode()), len(target.encode())) > part.policy.longest_line:
        return Unreadable("line_too_long", source[:SHOWN], target[:SHOWN])
    return SentencePair(source, target)


def shown_of(variants: dict[str, str | None], labels: list[str | None]) -> tuple[str, str]:
    """As much of the two sides as there is and is worth showing."""
    source, target = ((variants[label] or "" if label is not None else "")[:SHOWN] for label in labels)
    return source, target


def of_unknown_entity(part: Part, entry: Any) -> InputError:
    """Says which entry names an entity that nobody declared."""
    file = part.files[0]
    cause = f"the entry in line {entry.sourceline:,} names another; corpus.reading.malformed says what to do"
    return InputError(file.parameter, file.location, "the entities of XML, such as &amp;, alone", cause)


def text_of(element: Any) -> str | None:
    """The text of a segment without the codes of its document, None where it holds an entity that is not known.

    `Press <bpt i="1">&lt;b&gt;</bpt>Enter<ept i="1">&lt;/b&gt;</ept>.` becomes `Press Enter.`
    """
    if not len(element):
        return element.text or ""
    from lxml import etree

    parts = [element.text or ""]
    for child in element:
        if child.tag is etree.Entity:
            return None
        name = name_of(child)
        inside = "" if name is None or name in CODES else text_of(child)
        if inside is None:
            return None
        parts += [inside, child.tail or ""]
    return "".join(parts)


def name_of(element: Any) -> str | None:
    """The element's name without its name space; None for a comment, a processing instruction or an entity."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else None
