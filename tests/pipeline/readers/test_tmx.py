import gzip
import subprocess
import sys

import pytest

from pipeline.errors import InputError
from pipeline.records import SentencePair, Unreadable

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n<tmx version="1.4"><header/><body>'


def entry(**variants):
    inside = "".join(
        f'<tuv xml:lang="{name.replace("_", "-")}"><seg>{text}</seg></tuv>' for name, text in variants.items()
    )
    return f"<tu>{inside}</tu>\n"


@pytest.fixture
def tmx(tmp_path, read):
    def read_entries(*entries, head=HEAD, **fields):
        (tmp_path / "a.tmx").write_text(f"{head}{''.join(entries)}</body></tmx>")
        return read(kind="tmx", path=str(tmp_path / "a.tmx"), **fields)

    return read_entries


def test_languages_say_which_side_is_which(tmx):
    records = tmx(entry(de="eins", en="one"), entry(en_US="two", fr="deux", DE="zwei"))
    assert records == [SentencePair("one", "eins"), SentencePair("two", "zwei")]


def test_a_source_may_call_the_languages_otherwise(tmx):
    entries = entry(en_GB="colour", en_US="color", de_CH="Farbe", de="Color")
    assert tmx(entries, source_language="en-US", target_language="de-CH") == [SentencePair("color", "Farbe")]
    assert tmx(entries) == [SentencePair("colour", "Color")]


def test_codes_are_no_text_and_highlighted_text_is(tmx):
    bold = '<bpt i="1">&lt;b&gt;</bpt><hi>Enter</hi><ept i="1">&lt;/b&gt;</ept>'
    text = f"Press {bold} <!-- x -->&amp; <ph>%<sub>s</sub></ph>go."
    assert tmx(entry(en=text, de="Los.")) == [SentencePair("Press Enter & go.", "Los.")]


def test_an_entry_without_both_languages_is_counted_and_of_two_variants_the_first_counts(tmx):
    records = tmx(entry(en="one", fr="un"), "<tu/>", entry(en="two", de="zwei").replace("</tu>", entry(de="x")[4:]))
    assert records == [
        Unreadable("no_translation", "one", ""),
        Unreadable("no_translation", "", ""),
        SentencePair("two", "zwei"),
    ]


def test_the_old_attribute_and_name_spaces(tmx):
    head = '<tmx xmlns="http://www.lisa.org/tmx14" version="1.1"><body>'
    old = '<tu><tuv lang="EN"><seg>one</seg></tuv><tuv lang="DE"><seg>eins</seg></tuv></tu>'
    assert tmx(old, head=head) == [SentencePair("one", "eins")]


def test_text_that_is_too_long_is_counted(tmx):
    records = tmx(entry(en="x" * 101, de="lang"), entry(en="one", de="eins"), reading={"longest_line": 100})
    assert records == [Unreadable("line_too_long", "x" * 101, "lang"), SentencePair("one", "eins")]


BOMB = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "ha"}">' for n in range(10))


@pytest.mark.parametrize("declared", [BOMB, '<!ENTITY a9 SYSTEM "file:///etc/passwd">'])
@pytest.mark.parametrize("entries", [entry(en="&a9;", de="x"), ""])
def test_a_document_that_declares_entities_is_refused(tmx, declared, entries):
    head = f'<?xml version="1.0"?><!DOCTYPE tmx [{declared}]><tmx><body>'
    with pytest.raises(InputError, match=r"a.tmx: expected a TMX file without entities of its own"):
        tmx(entries, head=head)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("<tmx><body><tu>", r"a TMX file \(.*mismatch.*damaged"),
        ("<!doctype html><html><body>", r"a TMX file \("),
        ("<xliff><body>", r"a TMX file \("),
        ("", r"a TMX file \("),
        ("<tmx><body>\x01", r"a TMX file \("),
    ],
)
def test_what_is_no_tmx_is_refused(tmx, head, message):
    with pytest.raises(InputError, match=message):
        tmx(head=head)


def test_another_document_is_refused(tmp_path, read):
    (tmp_path / "a.tmx").write_text("<xliff/>")
    with pytest.raises(InputError, match=r"a TMX file \(its outermost element is <xliff>\)"):
        read(kind="tmx", path=str(tmp_path / "a.tmx"))


def test_bytes_that_are_not_the_documents_encoding(tmp_path, read):
    (tmp_path / "a.tmx").write_bytes((HEAD + entry(en="f\xfcnf", de="x") + "</body></tmx>").encode("latin-1"))
    with pytest.raises(InputError, match=r"a.tmx: expected a TMX file \("):
        read(kind="tmx", path=str(tmp_path / "a.tmx"))


def test_another_encoding_that_the_document_declares(tmp_path, read):
    text = HEAD.replace("UTF-8", "UTF-16") + entry(en="one", de="fünf") + "</body></tmx>"
    (tmp_path / "a.tmx").write_bytes(text.encode("utf-16"))
    assert read(kind="tmx", path=str(tmp_path / "a.tmx")) == [SentencePair("one", "fünf")]


def test_reverse_is_refused_because_the_languages_say_it(tmx):
    with pytest.raises(InputError, match=r"train\[0\].reverse = True: expected false for tmx"):
        tmx(entry(en="one", de="eins"), reverse=True)


def test_an_entity_that_nobody_declared_is_not_left_out_of_the_text(tmx):
    entries = entry(en="one&nbsp;two", de="x"), entry(en="<hi>&nbsp;</hi>", de="x"), entry(en="one", de="eins")
    assert tmx(*entries) == [Unreadable("malformed", "", "x")] * 2 + [SentencePair("one", "eins")]
    with pytest.raises(InputError, match=r"XML, such as &amp;, alone \(the entry in line 4 names another"):
        tmx(entry(en="one", de="eins"), *entries, reading={"malformed": "error"})


@pytest.mark.parametrize("filling", ["<x/>", "<!-- x -->", "<tu><x/></tu>"])
def test_a_small_file_without_entries_does_not_fill_the_memory(tmp_path, read, filling):
    head, body = b"<tmx><body>", filling.replace("<tu>", "<tu>" + "<x/>" * 5_000_000).encode()
    (tmp_path / "a.tmx").write_bytes(gzip.compress(head + body * (17 * 2**20 // len(body) + 1), 1))
    with pytest.raises(InputError, match=r"a.tmx: expected a TMX file with entries of a sensible size"):
        read(kind="tmx", path=str(tmp_path / "a.tmx"))


MEASURE = """
import resource, sys
from pipeline.sources import CorpusConfig, parts_of, read_part

def peak_after(path):
    source = {"kind": "tmx", "path": path}
    [part] = parts_of(CorpusConfig(source_language="en", target_language="de", train=[source]))
    count = sum(1 for _ in read_part(part))
    return count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

(few, small), (many, large) = map(peak_after, sys.argv[1:])
print(few, many, large - small)
"""


def test_memory_does_not_grow_with_the_file(tmp_path):
    paths = []
    for entries in (100, 10_000):
        paths.append(tmp_path / f"{entries}.tmx")
        paths[-1].write_text(HEAD + entry(en="one " * 1000, de="eins " * 1000) * entries + "</body></tmx>")
    run = subprocess.run([sys.executable, "-c", MEASURE, *paths], check=True, capture_output=True, text=True)
    few, many, grown = map(int, run.stdout.split())
    assert (few, many) == (100, 10_000)
    assert grown < 60_000  # KiB; the file has 90 MB, a block of its pairs 37
