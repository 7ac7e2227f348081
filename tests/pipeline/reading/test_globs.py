import pytest

from pipeline.reading.globs import expression_of, first_stranger, fixed_part, is_glob, name_of


@pytest.mark.parametrize(
    ("pattern", "name", "groups"),
    [
        ("*.en", "a.en", ("a",)),
        ("*.en", "a/b.en", None),
        ("x-??.en", "x-12.en", ("1", "2")),
        ("a[0-9b].en", "ab.en", ("b",)),
        ("a[!0-9].en", "a1.en", None),
        ("a[!0-9].en", "ax.en", ("x",)),
        ("a[^x].en", "a^.en", ("^",)),
        ("a[&&~].en", "a&.en", ("&",)),
        ("a[]b.en", "a[]b.en", ("[]",)),
        ("a[z-a].en", "a[z-a].en", ("[z-a]",)),
        ("**/*.en", "a/b/c.en", ("a/b/", "c")),
        ("**/*.en", "c.en", ("", "c")),
        ("a.b*", "axb", None),
    ],
)
def test_wildcards_stand_for_what_they_do_in_a_shell(pattern, name, groups):
    match = expression_of(pattern).fullmatch(name)
    assert (match and match.groups()) == groups


@pytest.mark.parametrize(
    ("location", "name"),
    [("data/a.en.gz", "a"), ("data/news-*.en", "news"), ("data/*.en", "data"), ("*.en", ""), ("gs://b/x/y.tmx", "y")],
)
def test_the_name_of_a_location(location, name):
    assert name_of(location) == name


def test_what_is_a_glob():
    assert [is_glob(location) for location in ("a.en", "a*.en", "a?.en", "a[1].en", "a].en")] == [
        False,
        True,
        True,
        True,
        False,
    ]
    assert fixed_part("data/news-*.en") == "data/news-"


@pytest.mark.parametrize(
    ("patterns", "names", "stranger"),
    [
        (("*.en", "*.de"), (["a.en", "b.en"], ["a.de", "b.de"]), None),
        (("*.en", "*.de"), (["a.en", "b.en"], ["a.de", "c.de"]), 1),
        (("c.*.en", "c.*.de"), (["c.1.en", "c.2.en"], ["c.1.de", "c.3.de"]), 1),
        (("en/*", "de/*"), (["en/a.en.gz", "en/b.en"], ["de/a.de", "de/b.de"]), None),
        (("en/*", "de/*"), (["en/c.1.en", "en/c.2.en"], ["de/c.1.de", "de/c.3.de"]), 0),
        (("a?.en", "*.de"), (["a1.en"], ["a1.de"]), None),
    ],
)
def test_files_of_two_patterns_belong_together(patterns, names, stranger):
    assert first_stranger(patterns, names) == stranger
