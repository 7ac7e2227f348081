"""What the commands that take a configuration have in common: their options, and a help that is their docstring."""

import inspect
from collections.abc import Callable
from pathlib import Path

import click

from flows.mistakes import Command


def configured(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that every command with a configuration takes."""
    several = "One key, such as train.steps=500; may be repeated."
    command = click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help=several)(command)
    command = click.option("--config", "file", type=click.Path(path_type=Path), help="A YAML file.")(command)
    return click.option("--preset", help="A configuration that comes with nightshift, such as weather.")(command)


class ManPage(Command):
    """A command whose help is its docstring as it stands, up to the part for programmers."""

    def page(self) -> str:
        """The text."""
        return self.callback.__doc__ or ""

    def format_help_text(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Shows the text without wrapping it."""
        text = inspect.cleandoc(self.page()).partition("\nArgs:")[0].rstrip()
        formatter.write_paragraph()
        formatter.write("".join(f"  {line}".rstrip() + "\n" for line in text.splitlines()))
