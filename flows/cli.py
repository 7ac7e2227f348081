"""The command line: `nightshift ...`.

Nothing heavy is imported here, so that help and mistakes cost no waiting.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from flows import console
from pipeline.errors import InputError
from pipeline.storage import Conflict

STAGES = ("ingest", "clean", "build_vocabulary", "shard", "inspect", "train", "evaluate", "register")


def configured(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that every command with a configuration takes."""
    several = "One key, such as train.steps=500; may be repeated."
    command = click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help=several)(command)
    command = click.option("--config", "file", type=click.Path(path_type=Path), help="A YAML file.")(command)
    return click.option("--preset", help="A configuration that comes with nightshift, such as weather.")(command)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="nightshift")
def cli() -> None:
    """Retrains sequence-to-sequence models every night."""


@cli.command()
@configured
def retrain(preset: str | None, file: Path | None, overrides: tuple[str, ...]) -> None:
    r"""Run the whole night: from text to a registered model.

    \b
        nightshift retrain --preset weather
        nightshift retrain --preset weather --set corpus.target_language=de --set corpus.reverse=true
        nightshift retrain --set 'corpus.train=[{source: a.en, target: a.de}]' --set vocabulary.size=4000

    Runs without a server; with PREFECT_API_URL set it reports to that one.
    """
    from flows.check import check
    from flows.settings import load

    config = load(preset, file, overrides)
    check(config)  # before Prefect is imported and its server started, which takes a while
    from flows.retrain import retrain as flow
    from flows.server import ensure_server
    from flows.summary import as_text

    ensure_server()
    night = flow(config)
    click.echo("\n" + as_text(config, night, program=sys.argv[0]))


def stage_command(name: str) -> click.Command:
    """The command of one stage, whose help is the stage's docstring."""

    def run(preset: str | None, file: Path | None, overrides: tuple[str, ...]) -> None:
        from flows.dag import inputs_of, stage_named
        from flows.settings import load

        config = load(preset, file, overrides)
        stage = stage_named(name)
        made = config.run(stage, *inputs_of(stage, config))
        click.echo(made.directory)

    command = StageCommand(name.replace("_", "-"), stage=name, callback=run)
    configured(command)
    command.params.reverse()
    return command


class StageCommand(click.Command):
    """A command that looks its help up only when it is asked for, as the stages' modules take a while to import."""

    def __init__(self, name: str, *, stage: str, **given: Any) -> None:
        super().__init__(name, short_help=f"Run the stage {stage} alone.", **given)
        self.stage = stage

    def format_help_text(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Shows the stage's docstring as it stands."""
        from inspect import cleandoc

        from flows.dag import stage_named

        formatter.write_paragraph()
        for line in cleandoc(stage_named(self.stage).__doc__ or "").splitlines():
            formatter.write(f"  {line}\n" if line else "\n")


for stage_name in STAGES:
    cli.add_command(stage_command(stage_name))


@cli.command()
@click.argument("text", nargs=-1)
@click.option("--registry", default="workspace/registry", show_default=True, help="Folder or gs://bucket/prefix.")
@click.option("--name", help="The model's name; may be left out where the registry holds one model.")
@click.option("--model", default="champion", show_default=True, help="A version's number, or an alias.")
def translate(text: tuple[str, ...], registry: str, name: str | None, model: str) -> None:
    r"""Translate sentences with a registered model.

    Each argument is a sentence; without any, each line of standard input is one.

    \b
        nightshift translate "Light rain in the evening."
        nightshift translate --model 3 < sentences.en > sentences.fr
    """
    from flows.use import translate as translate_all

    sentences = text or (line.rstrip("\r\n") for line in sys.stdin)
    for translation in translate_all(sentences, registry, name, model):
        click.echo(translation)


@cli.command()
@click.option("--registry", default="workspace/registry", show_default=True, help="Folder or gs://bucket/prefix.")
@click.option("--name", help="Only this model.")
def models(registry: str, name: str | None) -> None:
    """List the registered versions with their scores."""
    from flows.use import table_of_versions

    click.echo(table_of_versions(registry, name))


def main() -> None:
    """Runs the command line; bad input is one line on standard error and exit code 2."""
    console.quiet_libraries()
    console.show_log()
    try:
        cli()
    except InputError as error:
        click.echo(f"nightshift: {error}", err=True)
        sys.exit(2)
    except (OSError, Conflict) as error:
        click.echo(f"nightshift: {error}; what was finished is kept, run the same command to go on", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        click.echo("nightshift: interrupted; run the same command to go on", err=True)
        sys.exit(130)
