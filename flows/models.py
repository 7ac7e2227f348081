"""`nightshift models ...`: what is registered, and which version is in service."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from flows.mistakes import Group
from pipeline.errors import InputError

if TYPE_CHECKING:
    from model.registry import Registry

DEFAULT = "workspace/registry"


def located(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that say which model in which registry is meant, here or after `models`."""
    command = click.option("--name", help="The model's name; may be left out where the registry holds one.")(command)
    return click.option("--registry", help=f"Folder or gs://bucket/prefix.  [default: {DEFAULT}]")(command)


reason = click.option("--why", help="Kept in the history.", default="", metavar="TEXT")


@click.group(cls=Group, invoke_without_command=True)
@located
def models(**_: Any) -> None:
    """Show registered versions, and say which is in service.

    A VERSION is a number or an alias, such as champion.
    """
    context = click.get_current_context()
    if context.invoked_subcommand is None:
        context.invoke(list_)


@models.command("list")
@located
def list_(registry: str | None, name: str | None) -> None:
    """List the versions with their scores and aliases."""
    from flows.versions import table_of_versions

    click.echo(table_of_versions(*place(registry, name)))


@models.command()
@click.argument("version")
@located
def show(version: str, registry: str | None, name: str | None) -> None:
    """Show one version: scores, decision, lineage, sources, code."""
    from flows.versions import describe

    to = opened(registry, name)
    click.echo(describe(to, to.get(version)))


@models.command()
@click.argument("version")
@click.argument("other")
@located
def compare(version: str, other: str, registry: str | None, name: str | None) -> None:
    """Put the scores of two versions side by side."""
    from flows.side_by_side import side_by_side
    from flows.use import downloads

    to = opened(registry, name)
    click.echo(side_by_side(to, to.get(version), to.get(other), downloads()))


@models.command()
@click.argument("version")
@located
@reason
def promote(version: str, registry: str | None, name: str | None, why: str) -> None:
    """Make a version champion by hand, whatever the rules say."""
    move(opened(registry, name), "champion", version, why or "promoted by hand")


@models.command()
@click.argument("alias")
@click.argument("version")
@located
@reason
def alias(alias: str, version: str, registry: str | None, name: str | None, why: str) -> None:
    """Make any other word stand for a version."""
    if alias == "champion":
        raise InputError("alias", alias, "any other word", "the champion is moved by models promote or rollback")
    move(opened(registry, name), alias, version, why or "set by hand")


@models.command()
@located
@reason
def rollback(registry: str | None, name: str | None, why: str) -> None:
    """Put the champion before the present one into service again."""
    from flows.who import who
    from model.race import roll_back

    moved = roll_back(opened(registry, name), why or "rolled back by hand", who())
    click.echo(f"champion: version {moved.previous} -> {moved.version}")


@models.command()
@click.argument("word", default="champion", metavar="[ALIAS]")
@located
def history(word: str, registry: str | None, name: str | None) -> None:
    """Show what an alias stood for: who moved it when, and why."""
    from flows.versions import table_of_moves

    click.echo(table_of_moves(opened(registry, name), word))


@models.command()
@click.argument("version")
@located
def verify(version: str, registry: str | None, name: str | None) -> None:
    """Compare every byte of a version with what was registered."""
    from model import verification

    to = opened(registry, name)
    chosen = to.get(version)
    records = verification.verify(to, chosen)
    size = sum(record.bytes for record in records)
    click.echo(f"version {chosen.number}: {len(records)} files, {size:,} bytes, all as registered")


@models.command()
@click.argument("version")
@located
@reason
def delete(version: str, registry: str | None, name: str | None, why: str) -> None:
    """Delete a version for good. One that an alias stands for is refused."""
    from flows.who import who
    from model import deletion
    from model.registry import number_of

    to = opened(registry, name)
    number = number_of(version) if version.isdecimal() else to.get(version).number
    deletion.delete(to, number, why=why or "deleted by hand", who=who())
    click.echo(f"version {number} deleted")


@models.command()
@click.option("--keep", type=click.IntRange(0), required=True, help="How many of the newest stay.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be deleted.")
@located
@reason
def gc(keep: int, registry: str | None, name: str | None, why: str, *, dry_run: bool) -> None:
    """Delete all versions but the newest and those with an alias."""
    from flows.who import who
    from model import deletion

    to = opened(registry, name)
    numbers = sorted({*deletion.superfluous(to, keep), *deletion.unfinished(to)})
    if not numbers:
        click.echo("nothing to delete: each version has an alias or is among the newest")
    for number in numbers:
        if not dry_run:
            deletion.delete(to, number, why=why or f"not among the newest {keep}", who=who())
        click.echo(f"version {number} {'would be ' if dry_run else ''}deleted")


def move(to: "Registry", word: str, version: str, why: str) -> None:
    """Moves an alias by hand, from whatever it stands for now."""
    from flows.who import who

    before = to.alias(word)
    if before == to.get(version).number:
        click.echo(f"{word}: version {before} already")
        return
    moved = to.move_alias(word, to.get(version).number, expected=before, why=why, who=who(), how="by hand")
    click.echo(f"{word}: version {before} -> {moved.version}" if before else f"{word}: version {moved.version}")


def place(registry: str | None, name: str | None) -> tuple[str, str | None]:
    """Registry and name as given here, or else after `models`, or else the default."""
    context = click.get_current_context()
    above = context.parent.params if context.parent else {}
    return registry or above.get("registry") or DEFAULT, name or above.get("name")


def opened(registry: str | None, name: str | None) -> "Registry":
    """The model that is meant."""
    from model.registry import Registry, resolve_name

    location, chosen = place(registry, name)
    return Registry(location, resolve_name(location, chosen))
