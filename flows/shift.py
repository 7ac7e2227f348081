"""`nightshift up`, `down` and `deploy`: the nights of this machine, or of a server's workers."""

from collections.abc import Callable
from pathlib import Path

import click

from flows.command_pages import ManPage, configured

HOME = "workspace/prefect"
FLOWS = ("retrain", "prepare", "train", "evaluate", "translate-batch")


def scheduled(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that say when nights begin."""
    zone = "Time zone of --cron, such as Europe/Berlin."
    command = click.option("--timezone", default="UTC", show_default=True, help=zone)(command)
    when = "When nights begin: minute, hour, day, month, weekday."
    return click.option("--cron", default="0 2 * * *", show_default=True, metavar="EXPRESSION", help=when)(command)


def at_home(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the option that says where the server's files are."""
    where = f"Folder of the server's files and logs; also by PREFECT_HOME.  [default: {HOME}]"
    kind = click.Path(path_type=Path)
    return click.option("--home", type=kind, envvar="PREFECT_HOME", default=HOME, help=where)(command)


@click.command(cls=ManPage)
@configured
@scheduled
@at_home
@click.option("--host", default="127.0.0.1", show_default=True, help="Address the server listens at.")
@click.option("--port", type=click.IntRange(1, 65535), default=4200, show_default=True, help="Port of the server.")
@click.option("--database", metavar="URL", help="PostgreSQL, postgresql://user@host:5432/name; SQLite without it.")
def up(
    preset: str | None,
    file: Path | None,
    overrides: tuple[str, ...],
    *,
    cron: str,
    timezone: str,
    home: Path,
    host: str,
    port: int,
    database: str | None,
) -> None:
    """Start the night shift of this machine.

    That is a Prefect server with its UI, a worker and the deployments, with the nightly one by the clock.

        nightshift up --preset weather
        nightshift up --config mine.yaml --cron "30 1 * * *" --timezone Europe/Berlin
        NIGHTSHIFT_DB_PASSWORD=... nightshift up --preset weather --database postgresql://prefect@127.0.0.1:5432/prefect

    They live on in the background; nightshift down ends them. Each night begins with the configuration given here,
    in this folder; in the UI any key of it can be changed for one run. The server has no password of its own, so it
    listens on loopback; give --host only behind something that asks for one.
    """
    from flows.check import check
    from flows.settings import configure, given
    from flows.up import Place
    from flows.up import up as run

    fields = given(file, overrides)
    config = configure(preset, fields)
    check(config)
    run(Place(home, host, port, database), config, beginning(preset, fields), cron, timezone)


@click.command(cls=ManPage)
@at_home
def down(home: Path) -> None:
    """End what nightshift up started.

        nightshift down

    A training saves where it is, and the next night goes on from there.
    """
    from flows.up import down as run

    run(home)


@click.command(cls=ManPage)
@configured
@scheduled
@click.option("--pool", required=True, help="The work pool whose workers run them.")
@click.option("--flow", "flows", type=click.Choice(FLOWS), multiple=True, help="One of them; may be repeated.")
@click.option("--image", help="Container image of the runs, for pools that start containers.")
@click.option("--directory", type=click.Path(path_type=Path), help="Folder in which processes run; this one without.")
def deploy(
    preset: str | None,
    file: Path | None,
    overrides: tuple[str, ...],
    *,
    cron: str,
    timezone: str,
    pool: str,
    flows: tuple[str, ...],
    image: str | None,
    directory: Path | None,
) -> None:
    """Register the deployments with a server.

    It is the Prefect server that PREFECT_API_URL names.

        nightshift deploy --pool nights --preset weather
        nightshift deploy --pool gpu --flow train --image europe-docker.pkg.dev/project/nightshift/trainer:1

    The night is retrain/nightly; its parts and translate-batch have the name of the pool, so that a night with
    `--set deployments.train=train/gpu` trains on that one. What is there already is changed.
    """
    from flows.settings import configure, given

    fields = given(file, overrides)
    configure(preset, fields)
    from flows import deploying, server

    schedule = deploying.schedule_of(cron, timezone)
    server.check_server()
    variables = deploying.job_variables(deploying.pool_named(pool), image, directory)
    target = deploying.Target(pool, beginning(preset, fields), schedule, variables)
    for name in deploying.deploy(flows or FLOWS, target):
        click.echo(name)


def beginning(preset: str | None, fields: dict[str, object]) -> dict[str, object]:
    """What a run begins with unless somebody changes it."""
    from flows.parameters import NO_PRESET

    return {"preset": preset or NO_PRESET, "overrides": fields}
