"""`nightshift models ...` on a registry of small versions: what is shown, what is moved, what is refused."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from flows.cli import cli
from flows.who import who
from model.comparison import have_same_vocabulary
from model.decision import Decision, Reason
from model.registry import Registry
from model.verdicts import conclude
from model.versions import Code, SourceRecord, whoami
from pipeline.errors import InputError
from pipeline.manifest import InputRecord

SIGNATURE = "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"
REFERENCES = [f"pluie et brouillard pendant {hour} heures" for hour in range(30)]


@pytest.fixture
def registry(tmp_path):
    """Three versions; the third was scored on other sentences."""
    registry = Registry(str(tmp_path / "registry"), "weather-en-fr")
    for number, (bleu, digest) in enumerate([(40.0, "d" * 64), (50.5, "d" * 64), (60.0, "e" * 64)], start=1):
        known = 10 * number
        hypotheses = REFERENCES[:known] + ["grêle"] * (len(REFERENCES) - known)
        table = pa.table({"source": REFERENCES, "reference": REFERENCES, "hypothesis": hypotheses})
        pq.write_table(table, tmp_path / "test.parquet")
        (tmp_path / "graph").write_text(f"graph {number}")
        (tmp_path / "pieces").write_text(f"pieces {min(number, 2)}")
        scores = {
            "bleu": bleu,
            "bleu_signature": SIGNATURE,
            "loss": 1.5 / number,
            "sentences": 30,
            "data_digest": digest,
        }
        version = registry.add(
            {
                "export/saved_model.pb": tmp_path / "graph",
                "hypotheses/test.parquet": tmp_path / "test.parquet",
                "vocabulary.model": tmp_path / "pieces",
            },
            fingerprint=f"f{number}",
            metrics={"test": scores},
            lineage={"vocabulary": InputRecord(kind="vocabulary", fingerprint="v", digest=f"{number}" * 64)},
            configs={"evaluate": {"bleu_tokenizer": "13a"}},
            versions={"tensorflow": "2.21.0"},
            sources=[SourceRecord(split="train", origin="a", location="a.en | a.fr", digest="a" * 64, pairs=1200)],
            parent=number - 1 or None,
            code=Code(package="0.1.0", digest="c" * 64, commit="b" * 40),
        )
        registry.move_alias("champion", number, expected=number - 1 or None, why=f"BLEU {bleu}", who="night@host")
        reason = Reason(
            rule="gain", set="test", metric="bleu", ours=bleu, theirs=40.0, limit=0, is_met=True, words="ahead by much"
        )
        decision = Decision(is_promoted=True, reason=f"BLEU {bleu}", champion=number - 1 or None, reasons=(reason,))
        conclude(registry, version, decision, {}, who="night@host")
    return registry


def models(registry, *arguments, fails=False):
    run = CliRunner().invoke(cli, ["models", "--registry", registry.location, *arguments])
    if fails:
        assert isinstance(run.exception, InputError), run
        return str(run.exception)
    assert run.exit_code == 0, run
    return run.output


def test_the_list_shows_scores_and_aliases(registry):
    lines = models(registry).splitlines()

    assert lines[0].split() == ["model", "version", "BLEU", "chrF", "loss", "registered", "alias"]
    assert [line.split()[:5] for line in lines[1:]] == [
        ["weather-en-fr", "1", "40.0", "-", "1.500"],
        ["weather-en-fr", "2", "50.5", "-", "0.750"],
        ["weather-en-fr", "3", "60.0", "-", "0.500"],
    ]
    assert [line.endswith("champion") for line in lines[1:]] == [False, False, True]
    assert models(registry, "list") == models(registry)
    assert models(registry, "list", "--name", "weather-en-fr") == models(registry)


def test_the_place_may_stand_before_or_after_the_command(registry):
    after = CliRunner().invoke(cli, ["models", "show", "2", "--registry", registry.location])

    assert after.output == models(registry, "show", "2")


def test_a_version_is_shown_with_its_decision_sources_and_code(registry):
    shown = models(registry, "show", "champion")

    created = registry.get(3).created[:16].replace("T", " ")
    decided = shown.partition("met: ahead by much\n")[2].splitlines()[0].strip()
    for line in (
        "weather-en-fr, version 3",
        f"  registered  {created}",
        "  aliases     champion",
        "  parent      version 2, the champion of that time",
        "  decision    promoted: BLEU 60.0",
        "  test        30 sentences, digest eeeeeeeeeeee   loss 0.500",
        f"              BLEU 60.00   {SIGNATURE}",
        "  vocabulary  333333333333",
        "  train       a.en | a.fr   1,200 pairs   licence not stated   aaaaaaaaaaaa",
        "  code        nightshift 0.1.0, digest cccccccccccc, commit bbbbbbbbbbbb",
        "  packages    tensorflow 2.21.0",
    ):
        assert line in shown.splitlines()
    assert decided.endswith("by night@host")


def test_two_versions_stand_side_by_side_with_the_significance_of_their_difference(registry):
    lines = models(registry, "compare", "1", "2").splitlines()

    assert lines[0].split() == ["set", "metric", "version", "1", "version", "2", "difference", "signature"]
    assert lines[1].split() == ["test", "BLEU", "40.00", "50.50", "+10.50", SIGNATURE]
    assert lines[2] == (
        "test      p 0.002 of the difference in BLEU, "
        "nrefs:1|bs:1000|seed:12345|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"
    )
    assert len(lines) == 3  # a loss per token of another vocabulary is another unit


def test_a_vocabulary_that_stayed_is_the_same_whatever_was_added_to_its_chain(registry):
    first, second, third = registry.versions()
    assert second.lineage["vocabulary"].digest != third.lineage["vocabulary"].digest
    assert have_same_vocabulary(second, third)
    assert not have_same_vocabulary(first, second)
    assert [line.split()[1] for line in models(registry, "compare", "2", "2").splitlines()[1:]] == ["BLEU", "loss", "p"]


def test_what_cannot_be_compared_is_refused(registry):
    assert models(registry, "compare", "2", "3", fails=True) == (
        "versions = 2 and 3: expected two that were scored on the same data by the same metrics "
        "(test: other sentences, dddddddddddd and eeeeeeeeeeee)"
    )


def test_promoting_by_hand_is_recorded_as_such_and_rolled_back(registry):
    assert models(registry, "promote", "1", "--why", "the editors prefer it") == "champion: version 3 -> 1\n"
    assert models(registry, "promote", "champion") == "champion: version 1 already\n"
    assert models(registry, "rollback") == "champion: version 1 -> 3\n"
    assert models(registry, "rollback", "--why", "it stutters") == "champion: version 3 -> 2\n"

    moves = registry.history("champion")[3:]
    assert [(move.previous, move.version, move.how, move.why) for move in moves] == [
        (3, 1, "by hand", "the editors prefer it"),
        (1, 3, "rollback", "rolled back by hand"),
        (3, 2, "rollback", "it stutters"),
    ]
    assert {move.who for move in moves} == {who()}
    told = models(registry, "history").splitlines()
    assert len(told) == 6
    assert told[-1].split(None, 2)[2] == f"      3 -> 2      rollback  {who()}: it stutters".strip()


def test_any_word_can_stand_for_a_version_and_names_it(registry):
    assert models(registry, "alias", "staging", "2") == "staging: version 2\n"
    assert models(registry, "alias", "staging", "champion") == "staging: version 2 -> 3\n"
    assert registry.alias("staging") == 3
    assert models(registry, "alias", "champion", "1", fails=True) == (
        "alias = champion: expected any other word (the champion is moved by models promote or rollback)"
    )
    assert models(registry, "alias", "Staging", "1", fails=True).startswith("alias = Staging: expected")
    assert models(registry, "history", "nothing") == "nothing of weather-en-fr was never set\n"


def test_a_whole_version_is_verified_and_a_damaged_one_named(registry, tmp_path):
    assert models(registry, "verify", "1").startswith("version 1: 3 files, ")
    graph = tmp_path / "registry/weather-en-fr/versions/0001/export/saved_model.pb"
    graph.write_text("Graph 1")

    assert models(registry, "verify", "1", fails=True).startswith(f"registry = {graph}: expected the 7 bytes with SHA")


def test_a_version_in_use_is_not_deleted_and_another_one_is(registry):
    assert models(registry, "delete", "3", fails=True) == (
        "model = 3: expected a version without an alias (champion would stand for nothing; move the alias first)"
    )
    assert models(registry, "delete", "2") == "version 2 deleted\n"
    assert [version.number for version in registry.versions()] == [1, 3]
    assert models(registry, "delete", "2", fails=True).startswith("model = 2: expected one of 1, 3, champion")


def test_old_versions_are_told_and_then_deleted(registry):
    models(registry, "alias", "fallback", "1")

    assert models(registry, "gc", "--keep", "1", "--dry-run") == "version 2 would be deleted\n"
    assert [version.number for version in registry.versions()] == [1, 2, 3]
    assert models(registry, "gc", "--keep", "1") == "version 2 deleted\n"
    assert models(registry, "gc", "--keep", "1") == (
        "nothing to delete: each version has an alias or is among the newest\n"
    )
    assert [version.number for version in registry.versions()] == [1, 3]


def test_who_does_it_is_a_person_on_a_machine():
    person, at, machine = whoami().partition("@")
    assert (bool(person), at, bool(machine)) == (True, "@", True)
