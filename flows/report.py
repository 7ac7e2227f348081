"""`nightshift report`: the page about a version."""

from pathlib import Path

import click

from flows.mistakes import Command
from flows.models import located, opened


@click.command(cls=Command)
@click.argument("version", default="candidate", metavar="[VERSION]")
@click.option("--output", type=click.Path(path_type=Path), help="File to write.  [default: NAME-VERSION.html]")
@located
def report(version: str, output: Path | None, registry: str | None, name: str | None) -> None:
    """Write the report of a version, by default the newest.

    It is one page for any browser, without scripts, that loads nothing: scores against the champion, samples side by
    side, data, training, lineage.
    """
    from model.register import REPORT
    from model.verdicts import file_of
    from pipeline.manifest import write_atomically

    to = opened(registry, name)
    chosen = to.get(version)
    page = file_of(to, chosen, REPORT)
    path = output or Path(f"{to.name}-{chosen.number}.html")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, page)
    click.echo(path)
