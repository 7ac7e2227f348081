"""A second run: reused, decided anew, or finished where the first one was killed."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.promotion import RegisterConfig
from model.registry import Registry
from model.verdicts import latest

SIGNATURE = "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"
MakeNight = Callable[..., Any]


def registry_of(one: Any) -> Registry:
    """Where a night registers."""
    return Registry(one.registry, "weather")


def test_a_second_run_is_reused_until_the_registry_is_another_one(night: MakeNight, tmp_path: Path) -> None:
    first = night(97.1)
    result = first.register()

    assert first.register() == result
    shutil.rmtree(first.registry)
    again = first.register()
    assert again.facts == result.facts
    assert again.finished != result.finished
    other = replace(first, registry=str(tmp_path / "other"))
    night(50.0, seed=3, registry=other.registry).register()
    assert other.register().facts["version"] == 2


def test_a_version_whose_local_record_is_gone_is_not_stored_twice(night: MakeNight) -> None:
    first = night(97.1)
    result = first.register()
    shutil.rmtree(first.workspace / "register")

    assert first.register().facts == result.facts
    assert [version.number for version in Registry(first.registry, "weather").versions()] == [1]


def test_other_rules_decide_again_about_the_same_version(night: MakeNight) -> None:
    first = night(97.1)
    refused = first.register(RegisterConfig(min_bleu=99, max_p=1))
    assert (refused.facts["promoted"], refused.facts["champion"]) == (False, None)

    accepted = first.register(RegisterConfig(min_bleu=90, max_p=1))

    told = [accepted.facts[name] for name in ("version", "promoted", "champion", "verdict")]
    assert told == [1, True, 1, 2]
    verdict = latest(registry_of(first), registry_of(first).get(1))
    assert verdict is not None
    assert (verdict.number, verdict.rules["min_bleu"], verdict.decision.is_promoted) == (2, 90, True)


KILLED = """
import sys, time
from pathlib import Path
from model import register as stage
from model.card import CardConfig
from model.promotion import RegisterConfig
from pipeline import manifest
from pipeline.storage import LocalStorage

def hang(*_, **__):
    print("here", flush=True)
    time.sleep(60)

def write_all_but_the_manifest(storage, name, *data, **condition):
    return hang() if name.endswith(last) else write(storage, name, *data, **condition)

workspace, registry, where = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
inputs = [manifest.read(workspace / kind) for kind in ("corpus", "pairs", "statistics", "model", "evaluation")]
last = "verdict.json" if where == "before the verdict is complete" else "0001/manifest.json"
write = LocalStorage.write
owner, name, instead = {
    "before the version is complete": (LocalStorage, "write", write_all_but_the_manifest),
    "before the candidate": (stage, "nominate", hang),
    "before the decision": (stage, "promote", hang),
    "before the verdict is complete": (LocalStorage, "write", write_all_but_the_manifest),
    "before the local manifest": (manifest, "write", hang),
}[where]
setattr(owner, name, instead)
stage.register(
    RegisterConfig(max_p=1), *inputs, output_dir=workspace / "register", registry=registry, name="weather",
    licences={}, card=CardConfig(), who="",
)
"""


@pytest.mark.parametrize(
    ("where", "number", "verdict"),
    [
        ("before the version is complete", 2, 1),
        ("before the candidate", 1, 1),
        ("before the decision", 1, 1),
        ("before the verdict is complete", 1, 2),
        ("before the local manifest", 1, 1),
    ],
)
def test_a_killed_run_is_finished_by_the_next(night: MakeNight, where: str, number: int, verdict: int) -> None:
    first = night(97.1)
    command = [sys.executable, "-c", KILLED, str(first.workspace), first.registry, where]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "here\n"
        run.send_signal(signal.SIGKILL)

    result = first.register()

    registry = Registry(first.registry, "weather")
    assert result.facts | {"registered": ""} == {
        "version": number,
        "registered": "",
        "promoted": True,
        "reason": "BLEU 97.10 on 1,000 test sentences, and there was no champion",
        "reasons": [],
        "verdict": verdict,
        "champion": number,
    }
    assert [version.number for version in registry.versions()] == [number]
    assert registry.aliases() == {"candidate": number, "champion": number}
    assert [move.version for move in registry.history("champion")] == [number]
