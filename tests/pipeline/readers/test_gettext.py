import gzip
import json
import struct
import sys
from collections import Counter
from importlib import metadata
from pathlib import Path

import polib
import pytest

from pipeline.errors import InputError
from pipeline.readers.gettext import LARGEST, catalogues_of, forms_of
from pipeline.records import SentencePair, Unreadable

PACKAGE = "jupyterlab-language-pack-fr-fr"
HEADER = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\nPlural-Forms: nplurals=2; plural=(n > 1);\\n"\n'
ENTRIES = """
msgid "one"
msgstr "un"

#, fuzzy
msgid "two"
msgstr "deus"

msgid "three"
msgstr ""

msgctxt "menu"
msgid "%d file"
msgid_plural "%d files"
msgstr[0] "%d fichier"
msgstr[1] "%d fichiers"

#~ msgid "old"
#~ msgstr "vieux"
"""
EXPECTED = [SentencePair("one", "un"), SentencePair("%d file", "%d fichier"), SentencePair("%d files", "%d fichiers")]


def test_what_nobody_stands_for_is_no_translation(tmp_path, read):
    (tmp_path / "a.po").write_text(HEADER + ENTRIES)
    assert read(kind="gettext", path=str(tmp_path / "a.po")) == [
        EXPECTED[0],
        Unreadable("fuzzy", "two", "deus"),
        Unreadable("no_translation", "three", ""),
        *EXPECTED[1:],
        Unreadable("obsolete", "old", "vieux"),
    ]


def test_a_compiled_catalogue(tmp_path, read):
    polib.pofile(HEADER + ENTRIES).save_as_mofile(str(tmp_path / "a.mo"))
    assert sorted(map(str, read(kind="gettext", path=str(tmp_path / "a.mo")))) == sorted(map(str, EXPECTED))


def test_a_catalogue_in_json_has_no_plurals_to_translate(tmp_path, read):
    header = {"plural_forms": "nplurals=2; plural=(n > 1);", "language": "fr"}
    messages = {
        "one": ["un"],
        "menu\x04%d file": ["%d fichier", "%d fichiers"],
        "two": [""],
        "x": [1],
        "y": "z",
        "w": "half \ud800",
    }
    (tmp_path / "a.json").write_text(json.dumps({"": header} | messages))
    assert read(kind="gettext", path=str(tmp_path / "a.json")) == [
        SentencePair("one", "un"),
        SentencePair("%d file", "%d fichier"),
        Unreadable("no_translation", "two", ""),
        Unreadable("malformed", "x", ""),
        SentencePair("y", "z"),
        Unreadable("malformed", "", ""),
    ]


@pytest.mark.parametrize(
    ("header", "forms"),
    [
        ("nplurals=2; plural=(n != 1);", (0, 1)),
        ("nplurals=1; plural=0;", (0, 0)),
        (
            "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);",
            (0, 1),
        ),
        ("nplurals=4; plural=(n==1 || n==11) ? 0 : (n==2 || n==12) ? 1 : (n > 2 && n < 20) ? 2 : 3;", (0, 2)),
        ("nplurals=6; plural=n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5;", (1, 3)),
        ("nplurals=2; plural=__import__('os');", (0, 1)),
        ("nplurals=2; plural=n/0;", (0, 1)),
        ("nplurals=2; plural=n-9;", (0, 1)),
        ("", (0, 1)),
    ],
)
def test_which_form_is_for_one_and_which_for_several(header, forms):
    assert forms_of(header) == forms


def test_records_that_no_side_may_be(tmp_path, read):
    messages = {"": {}, "x" * 101: ["lang"], "a": ["b\0"], "one": ["eins"]}
    (tmp_path / "a.json").write_text(json.dumps(messages))
    records = read(kind="gettext", path=str(tmp_path / "a.json"), reading={"longest_line": 100})
    assert records == [
        Unreadable("line_too_long", "x" * 101, "lang"),
        Unreadable("nul", "a", "b\0"),
        SentencePair("one", "eins"),
    ]


def test_an_installed_package(read):
    records = read(("en", "fr"), kind="gettext", package=PACKAGE)
    assert Counter(map(type, records))[SentencePair] > 3_000
    assert SentencePair("%1 Items", "%1 éléments") in records
    backwards = read(("fr", "en"), kind="gettext", package=PACKAGE, reverse=True)
    assert backwards == [SentencePair(record.target, record.source) for record in records]


def test_each_catalogue_of_a_package_is_taken_once():
    paths = catalogues_of(PACKAGE, "corpus.train[0]", "fr")
    assert len({path.stem for path in paths}) == len(paths) > 10
    assert {path.suffix for path in paths} == {".mo"}
    assert paths == catalogues_of(PACKAGE, "corpus.train[0]", "fr-FR")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"package": PACKAGE},
            r"train\[0\].package = .*: expected .* catalogues for de \(it knows fr_FR; target_language",
        ),
        ({"package": "no-such-package"}, r"train\[0\].package = no-such-package: expected an installed distribution"),
        ({"package": "polib"}, r"train\[0\].package = polib: expected a distribution with catalogues"),
        ({}, r"train\[0\].path = not given: expected either a path or a package"),
        ({"package": PACKAGE, "path": "a.po"}, r"train\[0\].path = a.po .*: expected either a path or a package"),
    ],
)
def test_a_package_that_cannot_be_used(read, fields, message):
    with pytest.raises(InputError, match=message):
        read(kind="gettext", **fields)


@pytest.mark.parametrize("content", [b"<html>", b"{", b"\xde\x12\x04\x95" + b"\xff" * 40, b"\x95\x04\x12\xde"])
def test_what_is_no_catalogue(tmp_path, read, content):
    (tmp_path / "a.po").write_bytes(content)
    with pytest.raises(InputError, match=r"train\[0\].path = .*a.po: expected a gettext catalogue in") as caught:
        read(kind="gettext", path=str(tmp_path / "a.po"))
    assert "\n" not in str(caught.value)


def test_separators_of_lines_are_text(tmp_path, read):
    (tmp_path / "a.po").write_text(HEADER + '\nmsgid "a\u2028b\x85c"\nmsgstr "d\x0ce"\n')
    assert read(kind="gettext", path=str(tmp_path / "a.po")) == [SentencePair("a\u2028b\x85c", "d\x0ce")]


def test_a_small_file_does_not_fill_the_memory(tmp_path, read):
    (tmp_path / "a.po").write_bytes(gzip.compress(b"#" * (LARGEST + 1)))
    with pytest.raises(
        InputError, match=r"train\[0\].path = .*a.po: expected a catalogue of at most 104,857,600 bytes"
    ):
        read(kind="gettext", path=str(tmp_path / "a.po"))


def test_texts_of_a_compiled_catalogue_do_not_overlap(tmp_path, read):
    number, text = 1000, b"x" * 100_000
    end = 28 + 8 * number
    table = struct.pack("<II", len(text), end) * number
    (tmp_path / "a.mo").write_bytes(struct.pack("<7I", 0x950412DE, 0, number, 28, 28, 0, 0) + table + text)
    with pytest.raises(InputError, match=r"expected a gettext catalogue in PO or MO \(its texts overlap"):
        read(kind="gettext", path=str(tmp_path / "a.mo"))


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a distribution that holds one file, where its record says."""

    def install_file(recorded):
        (tmp_path / "x-1.dist-info").mkdir()
        (tmp_path / "x-1.dist-info" / "METADATA").write_text("Name: x\nVersion: 1\n")
        (tmp_path / "x-1.dist-info" / "RECORD").write_text(f"{recorded},,\n")
        monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
        assert metadata.version("x") == "1"

    return install_file


def test_a_package_names_no_files_outside_of_itself(install, read):
    install("../../outside/de.po")
    with pytest.raises(InputError, match=r"train\[0\].package = x: expected .* files lie in .*outside/de.po does not"):
        read(kind="gettext", package="x")


def test_a_file_of_a_package_that_is_gone(install, read, tmp_path):
    install("locale/de.po")
    with pytest.raises(InputError, match=r"train\[0\].package = .*de.po: expected a file that can be read \(No such"):
        read(kind="gettext", package="x")
    Path(tmp_path / "locale").mkdir()
    (tmp_path / "locale" / "de.po").write_text(HEADER + ENTRIES)
    assert read(kind="gettext", package="x")[0] == EXPECTED[0]
