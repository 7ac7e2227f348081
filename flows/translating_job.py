"""`nightshift translate --runner`: a file into a file as a Beam job, on this machine or on a service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from pipeline.errors import InputError

if TYPE_CHECKING:
    from flows.settings import RetrainConfig
    from flows.translating import Options
    from flows.use import Chosen

KEYS: Final = ("beam.", "workspace=")  # what --set may say here


def translate_by_job(
    text: Sequence[str], chosen: Chosen, options: Options, runner: str, overrides: Sequence[str]
) -> None:
    """Translates --input into --output, each a path or `gs://bucket/name`; the target appears when all is done.

    What lies between the two, and a model of a registry in the cloud, is kept below `translate` in the workspace, which
    workers elsewhere must see.

    Raises:
        InputError: what a job does not take, or a model, a runner or a file that cannot be used.
    """
    source, target = check(text, options)
    config = configured(runner, overrides)
    from pipeline.running.beam_checks import check_beam

    check_beam(config.beam)
    from model.registry import EXPORT, EXPORTED, Registry, resolve_name
    from pipeline.manifest import sha256_of_json
    from pipeline.translation import translate_file

    models = Registry(chosen.registry, resolve_name(chosen.registry, chosen.name))
    version = models.get(chosen.model)
    folder = config.workspace.absolute() / "translate"
    saved_model = models.fetch(version, folder, only=EXPORTED) / EXPORT
    # Always the same for the same command, so that it clears what it left behind when it was killed.
    scratch = folder / sha256_of_json([version.digest, source, target])[:12]
    lines = translate_file(saved_model, source, target, folder=scratch, beam=config.beam)
    click.echo(f"{target}: {lines:,} lines by version {version.number} of {version.model}", err=True)


def check(text: Sequence[str], options: Options) -> tuple[str, str]:
    """From where to where; raises `InputError` for what a job does not take."""
    if text:
        raise InputError("--runner", "given", "--input, no sentences as arguments", f"there are {len(text)}")
    for name, given in (("--input", options.source), ("--output", options.target)):
        if not given:
            raise InputError(name, "not given", "a path or gs://bucket/name beside --runner")
    others = {
        "--beam": options.beam,
        "--n-best": options.n_best,
        "--scores": options.scores or None,
        "--attention": options.attention,
        "--temperature": options.temperature,
    }
    for name, value in others.items():
        if value is not None:
            raise InputError(name, value, "no --runner beside it", "a job writes the one best translation of each line")
    return str(options.source), str(options.target)


def configured(runner: str, overrides: Sequence[str]) -> RetrainConfig:
    """The runner and the workspace."""
    for override in overrides:
        if not override.startswith(KEYS):
            raise InputError("--set", override, "a key of beam, or workspace", "there is no other stage here")
    from flows.settings import load

    return load(overrides=[*overrides, f"beam.runner={runner}"])
