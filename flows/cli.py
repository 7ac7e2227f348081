"""The command line: `nightshift ...`.

Nothing heavy is imported here, so that help and mistakes cost no waiting.
"""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from flows import console, shift
from flows.command_pages import ManPage, configured
from flows.importing import many_imports
from flows.mistakes import Group
from flows.models import models
from flows.overlap import LeaseLost, Replaced, Skipped
from flows.rendering import render
from flows.report import report
from flows.temporary_server import starting
from model.interruption import EXIT_CODE, Interrupted
from pipeline.errors import InputError
from pipeline.storage import Conflict

if TYPE_CHECKING:
    from flows.summary import Night

STAGES = ("ingest", "clean", "build_vocabulary", "shard", "inspect", "train", "evaluate", "register")


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="nightshift")
def cli() -> None:
    """Retrains sequence-to-sequence models every night."""


class StagePage(ManPage):
    """The help of a stage; looked up only when it is asked for, as the stages' modules take a while to import."""

    def __init__(self, name: str, *, stage: str, **given: Any) -> None:
        super().__init__(name, short_help=f"Run the stage {stage} alone.", **given)
        self.stage = stage

    def page(self) -> str:
        """The stage's docstring."""
        from flows.dag import stage_named

        return stage_named(self.stage).__doc__ or ""

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the keys of the stage's section."""
        from flows.dag import stage_named
        from flows.settings import keys_of

        if keys := keys_of(stage_named(self.stage).section):
            with formatter.section("Keys for --set"):
                formatter.write_dl(keys)


@cli.command(cls=ManPage)
@configured
def retrain(preset: str | None, file: Path | None, overrides: tuple[str, ...]) -> None:
    """Run the whole night: from text to a registered model.

        nightshift retrain --preset weather
        nightshift retrain --preset weather --set corpus.target_language=de --set corpus.reverse=true
        nightshift retrain --set 'corpus.train=[{source: a.en, target: a.de}]' --set vocabulary.size=4000

    Runs without a server; with PREFECT_API_URL set it reports to that one. While another night makes the same model
    this one does not run; --set night.overlap=wait or night.overlap=replace changes that.
    """
    with starting() as server:
        with many_imports():
            from flows.check import check
            from flows.settings import configure, given

        fields = given(file, overrides)
        config = configure(preset, fields)
        check(config)  # before Prefect is imported, which takes a while
        with many_imports():
            import fastapi.encoders  # noqa: F401 -- Prefect does later, when nobody waits for the server any more

            from flows.parameters import NO_PRESET
            from flows.retrain import retrain as flow
            from flows.server import ensure_server
            from flows.stoppable import told_by_signals
            from flows.summary import as_text

    started = datetime.now(UTC).isoformat()
    with told_by_signals():
        ensure_server(server)
        night = cast("Night", flow(preset or NO_PRESET, fields))  # a state is raised as its reason
    click.echo("\n" + as_text(config, night, program=sys.argv[0]))
    if night.is_older_than(started):
        click.echo("\n  nothing was new: every stage found its output finished")


@cli.command(cls=ManPage)
@configured
def check(preset: str | None, file: Path | None, overrides: tuple[str, ...]) -> None:
    """Look at what a night needs, and estimate it.

        nightshift check --preset weather
        nightshift check --config mine.yaml --set train.steps=5000

    Lists what is ok, what is wrong, and what somebody should know before: sources and their digests, languages of a
    sample, registry, rights, servers and clocks, disk, memory. Only the beginning of each source is read, nothing is
    trained, and what is written to try it is removed. Exit code 2 when something is wrong.
    """
    from flows.checks.examine import examine
    from flows.checks.page import as_text
    from flows.settings import load

    findings, expected = examine(load(preset, file, overrides), click.echo)
    if expected:
        click.echo("\n" + as_text(expected))
    if any(finding.state == "wrong" for finding in findings):
        sys.exit(2)


def stage_command(name: str) -> click.Command:
    """The command of one stage, whose help is the stage's docstring."""

    def run(
        preset: str | None,
        file: Path | None,
        overrides: tuple[str, ...],
        shards: str | None = None,
        workers: int | None = None,
    ) -> None:
        from flows.dag import inputs_of, stage_named
        from flows.settings import load
        from model.helper import helps
        from model.shards import fetch_with_vocabulary

        if workers:
            overrides += ("devices.strategy=multi_worker", f"devices.workers={workers}")
        config = load(preset, file, overrides)
        stage = stage_named(name)
        inputs = fetch_with_vocabulary(shards) if shards else inputs_of(stage, config)
        if name == "train" and helps(config.devices):
            from flows.helping import help_with

            help_with(config, *inputs)
            return
        click.echo(config.run(stage, *inputs).directory)

    command = StagePage(name.replace("_", "-"), stage=name, callback=run)
    configured(command)
    if name == "train":
        elsewhere = "Shards of another workspace, gs://bucket/.../shard/FINGERPRINT, with its vocabulary."
        click.option("--shards", metavar="LOCATION", help=elsewhere)(command)
        together = "Train with that many processes on this machine, as devices.workers says too."
        click.option("--workers", type=click.IntRange(1, 64), help=together)(command)
    command.params.reverse()
    return command


for stage_name in STAGES:
    cli.add_command(stage_command(stage_name))


@cli.command(cls=ManPage)
@configured
@click.option("--rejects", "with_rejects", is_flag=True, help="Also show some of the rejected pairs for each reason.")
def data(preset: str | None, file: Path | None, overrides: tuple[str, ...], *, with_rejects: bool) -> None:
    """Show what the dataset holds, and what was left out.

        nightshift data --preset weather
        nightshift data --preset weather --rejects

    The same options as those of the night find the same dataset.
    """
    from flows.data import describe_data
    from flows.settings import load

    click.echo(describe_data(load(preset, file, overrides), with_rejects=with_rejects))


@cli.command(cls=ManPage)
@configured
def plan(preset: str | None, file: Path | None, overrides: tuple[str, ...]) -> None:
    """Show what a night would do, and start nothing.

        nightshift plan --preset weather
        nightshift plan --config night.yaml --set beam.runner=dataflow

    Which stages would run and why, what would be read and written where, the options that Beam would be given, the
    packages that workers must have, and on what the training would run. Nothing is written or downloaded either.
    """
    from flows.plan import describe_plan
    from flows.settings import load

    click.echo(describe_plan(load(preset, file, overrides)))


def registered(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that say which registered version is used."""
    command = click.option("--model", default="champion", show_default=True, help="A version's number, or an alias.")(
        command
    )
    only = "The model's name; may be left out where the registry holds one model."
    command = click.option("--name", help=only)(command)
    where = "Folder or gs://bucket/prefix."
    return click.option("--registry", default="workspace/registry", show_default=True, help=where)(command)


@cli.command(cls=ManPage)
@click.argument("text", nargs=-1)
@registered
@click.option("--input", "source", metavar="FILE", help="A file with a sentence in each line.")
@click.option("--output", "target", metavar="FILE", help="Where to write; there when all is done.")
@click.option("--beam", type=click.IntRange(1, 32), help="Width of the search, instead of the configured one.")
@click.option("--n-best", type=click.IntRange(1, 32), help="That many translations of each, with scores.")
@click.option("--scores", is_flag=True, help="Put the score and a tab before each translation.")
@click.option("--attention", type=click.Path(path_type=Path), help="Draw what each piece was written from, as PNG.")
@click.option(
    "--temperature",
    type=click.FloatRange(0, 100, min_open=True),
    help="Draw words at random: 1 by their probability, below 1 nearer to the best.",
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True, help="Of what is drawn.")
@click.option(
    "--runner",
    type=click.Choice(["local", "dataflow", "flink", "spark", "portable"]),
    help="Translate --input as a Beam job; both files may be gs://bucket/name.",
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Of the job: beam.workers=4, workspace=w.")
def translate(
    text: tuple[str, ...],
    registry: str,
    name: str | None,
    model: str,
    *,
    runner: str | None,
    overrides: tuple[str, ...],
    **options: Any,
) -> None:
    """Translate sentences with a registered model.

    Each argument is a sentence; without any, each line of --input, or of standard input, is one. Files may be
    compressed: an input is told by its first bytes, an output whose name ends with .gz is written so.

        nightshift translate "Light rain in the evening."
        nightshift translate --model 3 < sentences.en > sentences.fr
        nightshift translate --input sentences.en.gz --output sentences.fr.gz --beam 5
        nightshift translate --n-best 5 < sentences.en    # lines of number, score and translation, with tabs between
        nightshift translate --temperature 0.8 --seed 2 < sentences.en > varied.fr
        nightshift translate --attention picture.png "Light rain in the evening."
        nightshift translate --runner local --set beam.workers=4 --input gs://bucket/news.en --output gs://bucket/news.fr

    A score is the log-probability divided by the length penalty. Workers of a runner elsewhere get the files by
    beam.exchange, or must see the workspace.
    """
    from flows import translating, translating_job, use

    chosen, given = use.Chosen(registry, name, model), translating.Options(**options)
    if runner:
        translating_job.translate_by_job(text, chosen, given, runner, overrides)
        return
    if overrides:
        raise InputError("--set", overrides[0], "--runner beside it")
    translating.translate(text, chosen, given)


@cli.command(cls=ManPage)
@registered
@click.option(
    "--format", "form", type=click.Choice(["savedmodel", "ctranslate2"]), default="savedmodel", show_default=True
)
@click.option("--to", type=click.Path(path_type=Path), required=True, help="Where to write.")
@click.option("--batch", type=click.IntRange(1, 4096), help="Of savedmodel: sentences of each call; any without it.")
@click.option("--quantization", type=click.Choice(["float32", "int8"]), help="Of ctranslate2; float32 without it.")
def export(
    registry: str, name: str | None, model: str, *, form: str, to: Path, batch: int | None, quantization: Any
) -> None:
    """Write a registered model for other programs to serve.

        nightshift export --to served/weather                  # served/weather/3/saved_model.pb, for TensorFlow Serving
        nightshift export --to served/weather-8 --batch 8      # takes 8 sentences at a time, no more and no fewer
        nightshift export --format ctranslate2 --quantization int8 --to served/weather-ct2

    A SavedModel answers raw text: its signature `serving_default` is `translate`. CTranslate2 runs transformers only;
    its folder holds the SentencePiece model, and nightshift.json says in which Unicode form text must come.
    """
    from flows import exporting
    from flows.use import Chosen

    chosen = Chosen(registry, name, model)
    if form == "ctranslate2":
        if batch:
            raise InputError("--batch", batch, "--format savedmodel beside it", "CTranslate2 takes any number")
        click.echo(exporting.export_ctranslate2(chosen, to, quantization or "float32"))
        return
    if quantization:
        raise InputError("--quantization", quantization, "--format ctranslate2 beside it")
    click.echo(exporting.export_saved_model(chosen, to, batch))


class ServePage(ManPage):
    """A command with an option for each field of `ServeConfig`, which is imported when they are asked for."""

    @cached_property
    def limits(self) -> list[click.Parameter]:
        """Those options."""
        from flows.serving.config import options

        return options()

    def get_params(self, context: click.Context) -> list[click.Parameter]:
        """All options."""
        *own, help_option = super().get_params(context)
        return [*own, *self.limits, help_option]


@cli.command(cls=ServePage)
@registered
@click.option("--without-token", is_flag=True, help="Let everybody use it who can reach it.")
def serve(registry: str, name: str | None, model: str, *, without_token: bool, **limits: Any) -> None:
    """Serve a registered model over HTTP, with a page.

        nightshift serve                                      # the champion, on http://127.0.0.1:8000
        nightshift serve --model 3 --port 8080
        NIGHTSHIFT_TOKEN=... nightshift serve --host 0.0.0.0

        curl http://127.0.0.1:8000/translate --json '{"sentences": ["Light rain in the evening."], "n_best": 2}'

    Where an alias is served and it moves, the new version takes over once it is loaded and verified. With the variable
    NIGHTSHIFT_TOKEN set, requests must show it: `Authorization: Bearer ...`. SIGTERM ends it when all that was asked is
    answered.
    """
    from flows.serving.config import ServeConfig
    from flows.serving.run import serve as run
    from flows.use import Chosen

    run(Chosen(registry, name, model), ServeConfig(**limits), without_token=without_token)


for command in (shift.up, shift.down, shift.deploy):
    cli.add_command(command)
cli.add_command(models)
cli.add_command(report)
cli.add_command(render)


def main() -> None:
    """Runs the command line; bad input is one line on standard error and exit code 2."""
    console.quiet_libraries()
    console.show_log()
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except InputError as error:
        click.echo(f"nightshift: {error}", err=True)
        sys.exit(2)
    except Skipped as reason:
        click.echo(f"nightshift: {reason}", err=True)
    except Interrupted as error:
        click.echo(f"nightshift: {error}", err=True)
        sys.exit(EXIT_CODE)
    except (Replaced, LeaseLost) as reason:
        click.echo(f"nightshift: {reason}; run the same command to go on", err=True)
        sys.exit(EXIT_CODE)
    except (OSError, Conflict) as error:
        click.echo(f"nightshift: {error}; what was finished is kept, run the same command to go on", err=True)
        sys.exit(1)
    except (click.Abort, KeyboardInterrupt):
        click.echo("nightshift: interrupted; run the same command to go on", err=True)
        sys.exit(130)
