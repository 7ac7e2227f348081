import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cleaning import CleanConfig
from pipeline.holdout import HeldOut
from pipeline.keys import pair_key, side_hash
from pipeline.records import SentencePair, Verdict
from pipeline.selection import Earlier, by_shard, judged_rows, keys_of, packed, select, smallest, unpacked

NOTHING = Earlier(keys_of(np.zeros((0, 16), np.uint8)), np.zeros(0, np.uint64))
NO_SETS = HeldOut({}, frozenset(), frozenset())
ORIGINS = ["first", "second"]


def rows_of(config, *groups):
    """Judged rows of (rank, [(source, target) or (source, target, reason)])."""
    tables = []
    for rank, texts in groups:
        pairs = [SentencePair(*text[:2]) for text in texts]
        verdicts = [Verdict(pair, text[2] if len(text) > 2 else None) for pair, text in zip(pairs, texts, strict=True)]
        tables.append(judged_rows(config, pairs, verdicts, rank))
    return pa.concat_tables(tables)


def chosen(config, *groups, held_out=NO_SETS, earlier=NOTHING):
    selected = select(config, rows_of(config, *groups), held_out, earlier, ORIGINS)
    kept = [tuple(row.values()) for row in selected.kept.to_pylist()]
    return kept, [tuple(row.values()) for row in selected.rejected.to_pylist()]


def in_order(*texts):
    return sorted(texts, key=lambda text: pair_key(SentencePair(*text[:2])))


def test_pairs_lie_in_the_order_of_their_hashes_with_their_origin():
    kept, rejected = chosen(CleanConfig(), (0, [("a", "b"), ("c", "d")]), (1, [("e", "f")]))
    assert kept == in_order(("a", "b", "first"), ("c", "d", "first"), ("e", "f", "second"))
    assert rejected == []


def test_of_equal_pairs_the_one_from_the_earlier_source_stays():
    for groups in [((0, [("a", "b")]), (1, [("a", "b")])), ((1, [("a", "b")]), (0, [("a", "b")]))]:
        kept, rejected = chosen(CleanConfig(), *groups)
        assert kept == [("a", "b", "first")]
        assert rejected == [("duplicate", "a", "b", "second")]


def test_loose_duplicates_differ_in_case_punctuation_and_digits():
    texts = [("Room 12!", "Zimmer 12"), ("room 7", "Zimmer 7."), ("Room twelve", "Zimmer 12")]
    loose = CleanConfig(deduplicate="loose")
    kept, rejected = chosen(loose, (1, texts[:1]), (0, texts[1:]))
    assert {row[:2] for row in kept} == {texts[1], texts[2]}
    assert rejected == [("duplicate", *texts[0], "second")]
    # of one source's the one with the smallest hash stays, whatever the order
    survivors = [chosen(loose, (0, order))[0] for order in (texts[:2], texts[1::-1])]
    assert survivors[0] == survivors[1] == [(*in_order(*texts[:2])[0], "first")]
    assert len(chosen(CleanConfig(), (0, texts))[0]) == 3


def test_a_source_may_have_a_few_targets_only():
    texts = [("Yes!", f"ja {number}") for number in range(5)] + [("yes", "ja"), ("no", "nein")]
    config = CleanConfig(max_targets_per_source=2)
    kept, rejected = chosen(config, (1, texts[:5]), (0, texts[5:]))
    assert {row[:2] for row in kept} == {("yes", "ja"), ("no", "nein"), in_order(*texts[:5])[0]}
    assert [row[0] for row in rejected] == ["too_many_targets"] * 4
    held = Earlier(NOTHING.keys, np.array([side_hash("YES")] * 2, np.uint64))
    assert {row[:2] for row in chosen(config, (0, texts), earlier=held)[0]} == {("no", "nein")}


def test_what_an_older_generation_holds_does_not_come_again():
    older = select(CleanConfig(), rows_of(CleanConfig(), (0, [("a", "b"), ("c", "d")])), NO_SETS, NOTHING, ORIGINS)
    earlier = Earlier(keys_of(older.keys), older.source_sides)
    kept, rejected = chosen(CleanConfig(), (0, [("a", "b"), ("e", "f"), ("e", "f")]), earlier=earlier)
    assert kept == [("e", "f", "first")]
    assert rejected == [("duplicate", "e", "f", "first"), ("earlier_duplicate", "a", "b", "first")]


def test_a_side_of_a_held_out_pair_is_not_trained_on_in_any_spelling():
    sets = HeldOut.of({"dev": [SentencePair("Light &amp; rain.", "Regen")]}, lambda text: text.replace("&amp;", "&"))
    texts = [("light & RAIN", "x"), ("light &amp; rain", "y"), ("z", "regen!"), ("light rain", "kept? no: & is a sign")]
    kept, rejected = chosen(CleanConfig(), (0, [*texts, ("other", "andere")]), held_out=sets)
    assert kept == [("other", "andere", "first")]
    assert {row[1:3] for row in rejected} == set(texts)
    assert {row[0] for row in rejected} == {"held_out"}


def test_a_reason_is_never_replaced_and_a_rejected_pair_displaces_none():
    kept, rejected = chosen(CleanConfig(), (0, [("a", "b", "too_long"), ("a", "b", "too_long")]), (1, [("a", "b")]))
    assert kept == [("a", "b", "second")]
    assert [row[0] for row in rejected] == ["too_long", "too_long"]


@pytest.mark.parametrize("limit", [0, 3])
def test_pairs_that_must_meet_go_to_the_same_shard(limit):
    config = CleanConfig(deduplicate="loose", max_targets_per_source=limit, shards=7)
    rows = rows_of(
        config, (0, [(f"Source {n}", f"t{n % 3}") for n in range(50)] + [(f"source {n}!", "T2") for n in range(50)])
    )
    shards = dict(by_shard(config, rows))
    assert sum(map(len, shards.values())) == 100
    for column in ("same", *(["source_side"] if limit else [])):
        where = [set(part[column].to_pylist()) for part in shards.values()]
        assert sum(map(len, where)) == len(set.union(*where))


def test_the_shard_of_a_pair_is_its_hash_modulo_their_number():
    config = CleanConfig(shards=5)
    rows = rows_of(config, (0, [(str(number), "x") for number in range(100)]))
    for shard, part in by_shard(config, rows):
        assert {int.from_bytes(key) % 5 for key in part["key"].to_pylist()} == {shard}


def test_the_smallest_are_distinct_and_were_not_rejected():
    texts = [(str(number), "x") for number in range(20)]
    rejected = [("r", str(number), "empty") for number in range(20)]
    tables = [rows_of(CleanConfig(), (0, texts[:15])), rows_of(CleanConfig(), (0, texts[5:] + rejected))]
    found = smallest(7, [unpacked(packed(table)) for table in tables])
    assert list(zip(found["source"].to_pylist(), found["target"].to_pylist(), strict=True)) == in_order(*texts)[:7]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abAB1"), st.sampled_from("xyX2"), st.integers(0, 1)), max_size=25),
    st.randoms(use_true_random=False),
    st.sampled_from(["exact", "loose"]),
    st.integers(0, 2),
)
def test_nothing_is_lost_and_the_order_of_arrival_does_not_matter(texts, chance, deduplicate, limit):
    config = CleanConfig(deduplicate=deduplicate, max_targets_per_source=limit)
    sets = HeldOut.of({"dev": [SentencePair("b", "nothing")]}, str)
    there = chosen(config, *((rank, [(source, target)]) for source, target, rank in texts), (0, []), held_out=sets)
    chance.shuffle(texts)
    back = chosen(config, *((rank, [(source, target)]) for source, target, rank in texts), (0, []), held_out=sets)
    assert there == back
    assert len(there[0]) + len(there[1]) == len(texts)
    assert not any(source in "bB" for source, _, _ in there[0])
