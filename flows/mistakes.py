"""Mistakes on the command line, told as all bad input is: what was given, what is expected, and no waiting.

    nightshift: --n-best = x: expected a whole number from 1 to 32

Click's own wording differs from kind to kind and takes several lines, so every command and every group of commands is
one of these; a group gives its commands the same manners.
"""

import difflib
import select
from collections.abc import Iterable
from typing import Any, Final

import click

from pipeline.errors import InputError

STDOUT: Final = 1


class Command(click.Command):
    """A command whose options are explained by `explained`."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Reads the options; raises `InputError` for a wrong one."""
        given = list(args)
        try:
            return super().parse_args(context, args)
        except click.UsageError as error:
            raise explained(error, self, context, given) from error


class Group(click.Group):
    """A group of such commands."""

    command_class = Command
    group_class = type  # of a group in it: this class

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Reads the options before the command; raises `InputError` for a wrong one."""
        given = list(args)
        try:
            return super().parse_args(context, args)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            raise explained(error, self, context, given) from error

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the command; raises `InputError` where there is none of that name."""
        if self.get_command(context, args[0]) is None:
            raise unknown("command", args[0], self.list_commands(context))
        return super().resolve_command(context, args)

    def invoke(self, context: click.Context) -> Any:
        """Runs the command.

        Click takes every broken pipe for a reader of the output who has seen enough, and ends without a word. Storage
        and workers break, too.
        """
        try:
            return super().invoke(context)
        except BrokenPipeError as error:
            if nobody_reads(STDOUT):
                raise
            raise ConnectionError(str(error)) from error


def nobody_reads(output: int) -> bool:
    """Whether the other end of an output, given by its descriptor, is closed."""
    look = select.poll()
    look.register(output, 0)  # no event but errors, which are always told
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in look.poll(0))


def explained(error: click.UsageError, command: click.Command, context: click.Context, given: list[str]) -> InputError:
    """What Click has to say, as the one line of an `InputError`."""
    if isinstance(error, click.NoSuchOption):
        return unknown("option", error.option_name, options_of(command, context))
    if isinstance(error, click.MissingParameter) and error.param is not None:
        return InputError(named(error.param), "not given", f"a value, see {context.command_path} --help")
    if isinstance(error, click.BadParameter) and error.param is not None:
        values = command.make_parser(context).parse_args(given)[0]
        allowed, cause = expected(error.param.type), ""
        if not allowed:
            allowed, cause = "a value that can be used", " ".join(error.message.split()).rstrip(".")
        return InputError(named(error.param), values.get(error.param.name), allowed, cause)
    message = " ".join(error.format_message().split()).rstrip(".")
    return InputError("arguments", " ".join(given), f"those of {context.command_path} --help", message)


def unknown(kind: str, given: str, there: Iterable[str]) -> InputError:
    """A command or an option that does not exist."""
    known = sorted(there)
    close = difflib.get_close_matches(given, known, n=1)
    return InputError(kind, given, f"one of {', '.join(known)}", f"did you mean {close[0]}?" if close else "")


def options_of(command: click.Command, context: click.Context) -> list[str]:
    """The long names of all options of a command."""
    parts = (part for part in command.get_params(context) if isinstance(part, click.Option))
    return [name for part in parts for name in part.opts if name.startswith("--")]


def named(part: click.Parameter) -> str:
    """What a person calls an option or an argument: `--n-best`, `text`."""
    return max(part.opts, key=len) if isinstance(part, click.Option) else (part.name or "")


def expected(kind: Any) -> str:
    """What a type of option takes, in words; empty for types without.

    >>> expected(click.IntRange(1, 32))
    'a whole number from 1 to 32'
    >>> expected(click.FloatRange(0, 100, min_open=True))
    'a number above 0, at most 100'
    """
    if isinstance(kind, click.Choice):
        return f"one of {', '.join(kind.choices)}"
    noun = "a whole number" if kind.name.startswith("integer") else "a number" if kind.name.startswith("float") else ""
    low, high = getattr(kind, "min", None), getattr(kind, "max", None)
    if low is not None and high is not None and not (kind.min_open or kind.max_open):
        return f"{noun} from {low} to {high}"
    limits = [f"{'above' if kind.min_open else 'at least'} {low}"] if low is not None else []
    limits += [f"{'below' if kind.max_open else 'at most'} {high}"] if high is not None else []
    return f"{noun} {', '.join(limits)}" if limits else noun
