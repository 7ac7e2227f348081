"""Catalogues of messages: PO, MO, and the JSON that web programs make of them; a file, or a package's.

msgid "One file"  msgid_plural "%d files"  msgstr[0] "Un fichier"  msgstr[1] "%d fichiers"     is two pairs
"""

import json
import os
import struct
import sys
from collections.abc import Callable, Iterator
from gettext import c2py
from importlib import metadata
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from tempfile import TemporaryFile
from typing import Any, Final

from pipeline.errors import InputError
from pipeline.readers.jsonl import is_unicode
from pipeline.readers.language_tags import best_match
from pipeline.reading.opening import BUFFER, opened
from pipeline.reading.parts import BLOCK, SHOWN, Blocks, Part, StoredFile
from pipeline.records import SentencePair, Unreadable

MO: Final = {b"\xde\x12\x04\x95": "<", b"\x95\x04\x12\xde": ">"}  # first bytes -> order of the bytes in numbers
LARGEST: Final = 100 << 20  # bytes of a catalogue, which is in memory as a whole
PREFERRED: Final = (".po", ".mo", ".json")  # of a catalogue that a package holds in several forms; JSON lacks plurals
FOLDER: Final = "LC_MESSAGES"
THREE: Final = 3  # things: what languages with a dual have an ordinary plural for
CONTEXT: Final = "\x04"  # between the context of a message and the message itself

Record = SentencePair | Unreadable


def read(part: Part) -> Blocks:
    """The messages of a catalogue, or of all catalogues of a package, with their translations."""
    records = iter(package_records(part) if part.source.package else file_records(part.files[0]))
    while block := list(islice(records, BLOCK)):
        yield [fit(part, record) for record in block]


def fit(part: Part, record: Record) -> Record:
    """The record, unless a side of it holds what no side may."""
    source, target = record.source, record.target
    if not is_unicode(source + target):
        return Unreadable("malformed", "", "")
    if max(len(source.encode()), len(target.encode())) > part.policy.longest_line:
        return Unreadable("line_too_long", source[:SHOWN], target[:SHOWN])
    return Unreadable("nul", source, target) if "\0" in source + target else record


def package_records(part: Part) -> Iterator[Record]:
    """What all catalogues of a package hold, in order of their paths."""
    for path in catalogues_of(part.source.package, part.name, part.sides[1]):
        try:
            data = path.read_bytes()
        except OSError as error:
            parameter = f"{part.name}.package"
            raise InputError(parameter, path, "a file that can be read", str(error.strerror)) from error
        yield from records_of(data, part.name, str(path))


def file_records(file: StoredFile) -> Iterator[Record]:
    """What one catalogue holds."""
    data = bytearray()
    with opened(file) as content:
        while chunk := content.read(BUFFER):
            data += chunk
            if len(data) > LARGEST:
                raise InputError(file.parameter, file.location, f"a catalogue of at most {LARGEST:,} bytes, unpacked")
    return records_of(bytes(data), file.parameter, file.location)


def records_of(data: bytes, parameter: str, location: str) -> Iterator[Record]:
    """What a catalogue of any form holds; raises `InputError` for what is none."""
    if data.lstrip().startswith(b"{"):
        return json_records(data, parameter, location)
    return polib_records(data, parameter, location)


def polib_records(data: bytes, parameter: str, location: str) -> Iterator[Record]:
    """What a PO or MO file holds."""
    import polib

    try:
        if data.startswith(tuple(MO)):
            check_lengths(data)
            catalogue = polib.mofile(data)
        else:
            # As text polib would part it at more than line feeds. Without a name, the file is gone with this process.
            with TemporaryFile(buffering=0) as file:
                file.write(data)
                file.seek(0)
                catalogue = polib.pofile(os.dup(file.fileno()), encoding=polib.detect_encoding(data))
    except Exception as error:  # of many kinds, among them OSError for syntax and struct.error
        cause = str(error).strip()
        raise InputError(parameter, location, "a gettext catalogue in PO or MO", cause) from error
    singular, plural = forms_of(catalogue.metadata.get("Plural-Forms", ""))
    for entry in catalogue:
        if reason := reason_against(entry):
            yield Unreadable(reason, entry.msgid[:SHOWN], entry.msgstr[:SHOWN])
        elif entry.msgid_plural:
            for message, form in ((entry.msgid, singular), (entry.msgid_plural, plural)):
                translation = entry.msgstr_plural.get(form) or ""
                yield SentencePair(message, translation) if translation else Unreadable("no_translation", message, "")
        else:
            yield SentencePair(entry.msgid, entry.msgstr)


def check_lengths(data: bytes) -> None:
    """Raises `ValueError` for an MO file whose texts overlap, so that a small one could fill the memory."""
    order = MO[data[:4]]
    number, *tables = struct.unpack_from(f"{order}III", data, 8)
    entries = chain.from_iterable(struct.iter_unpack(f"{order}II", data[at : at + 8 * number]) for at in tables)
    if sum(length for length, _ in entries) > len(data):
        raise ValueError("its texts overlap or lie beyond its end")


def reason_against(entry: Any) -> str | None:
    """Why an entry is no translation that somebody stands for."""
    if entry.obsolete:
        return "obsolete"
    if getattr(entry, "fuzzy", False):  # entries of MO files cannot be fuzzy
        return "fuzzy"
    return None if entry.msgstr or any(entry.msgstr_plural.values()) else "no_translation"


def json_records(data: bytes, parameter: str, location: str) -> Iterator[Record]:
    """What a catalogue in JSON holds: a list of forms for each message, the singular first; or one text."""
    try:
        catalogue = json.loads(data)
        header = catalogue.pop("", {})
    except (ValueError, RecursionError) as error:
        raise InputError(parameter, location, "a gettext catalogue in JSON", str(error)) from error
    singular, _ = forms_of(str(header.get("plural_forms", "")) if isinstance(header, dict) else "")
    for key, value in catalogue.items():
        message = key.rpartition(CONTEXT)[2]
        forms = value if isinstance(value, list) else [value]
        translation = forms[singular] if singular < len(forms) else ""
        if not isinstance(translation, str):
            yield Unreadable("malformed", message[:SHOWN], "")
        else:
            yield SentencePair(message, translation) if translation else Unreadable("no_translation", message, "")


def forms_of(header: str) -> tuple[int, int]:
    """Numbers of the forms for one and for several things, by the formula of the catalogue.

    >>> forms_of("nplurals=2; plural=(n > 1);"), forms_of("nplurals=1; plural=0;"), forms_of("")
    ((0, 1), (0, 0), (0, 1))
    """
    formula = header.partition("plural=")[2].rpartition("plural=")[2].partition(";")[0]
    try:
        form: Callable[[int], int] = c2py(formula)  # the standard library's own parser; it evaluates nothing else
        forms = form(1), form(THREE)
    except (ValueError, ArithmeticError):
        return 0, 1
    return forms if min(forms) >= 0 else (0, 1)


def catalogues_of(package: str, parameter: str, language: str) -> list[Path]:
    """Paths of a package's catalogues for a language, each in the form that says most.

    Raises:
        InputError: it is not installed, holds none for the language, or names files outside of this environment.
    """
    parameter = f"{parameter}.package"
    try:
        files = metadata.files(package)
    except metadata.PackageNotFoundError as error:
        raise InputError(parameter, package, "an installed distribution", "pip install it first") from error
    found: dict[tuple[str, str], dict[str, Path]] = {}
    for file in files or []:
        if file.suffix in PREFERRED and (file.suffix != ".json" or FOLDER in file.parts):
            name = str(file.with_suffix("")), locale_of(file)
            found.setdefault(name, {})[file.suffix] = path_of(file, parameter, package)
    locales = sorted({locale for _, locale in found})
    if not locales:
        raise InputError(parameter, package, "a distribution with catalogues (.po, .mo)", "it holds none")
    locale = best_match(language, locales)
    if locale is None:
        cause = f"it knows {', '.join(locales)}; target_language of the source says which to take"
        raise InputError(parameter, package, f"a distribution with catalogues for {language}", cause)
    chosen = [forms for (_, known), forms in sorted(found.items()) if known == locale]
    return [next(forms[suffix] for suffix in PREFERRED if suffix in forms) for forms in chosen]


def path_of(file: metadata.PackagePath, parameter: str, package: str) -> Path:
    """Where an installed file lies; a record of the installation may say ../../../share, and no more than that."""
    # Links are not followed: some installers link every file to a copy of their own.
    path, folder = (Path(os.path.normpath(str(each))) for each in (file.locate(), file.dist.locate_file("")))
    if not (path.is_relative_to(folder) or path.is_relative_to(sys.prefix)):
        raise InputError(parameter, package, f"a distribution whose files lie in {sys.prefix}", f"{file} does not")
    return path


def locale_of(path: PurePosixPath) -> str:
    """The language of a catalogue by its path: `fr/LC_MESSAGES/app.mo`, or else `locale/fr.po`."""
    return path.parts[path.parts.index(FOLDER) - 1] if FOLDER in path.parts else path.stem
