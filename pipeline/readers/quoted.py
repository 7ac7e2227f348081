"""Rows whose cells may stand in double quotes and then hold delimiters and line feeds, as of RFC 4180."""

import csv
from collections.abc import Iterator

from pipeline.errors import InputError
from pipeline.reading.lines import Flaw, Line
from pipeline.reading.opening import Content
from pipeline.reading.source_kinds import ReadingConfig
from pipeline.records import Unreadable


class Feed:
    """Gives lines to the standard library's parser and remembers what it has taken for the row at hand.

    Args:
        lines: lines of the file; one that cannot be used is replaced by a line with as many quotes, so that the parser
            keeps its place.
        content: the file, for messages.
        longest: most characters of a row.
    """

    def __init__(self, lines: Iterator[Line], content: Content, longest: int) -> None:
        self.lines = lines
        self.content = content
        self.longest = longest
        self.number = 0  # of the last line taken
        self.begin_row()

    def begin_row(self) -> None:
        """Forgets the row that was at hand."""
        self.flaw: Flaw | None = None
        self.taken = 0
        self.first = self.number + 1

    def __iter__(self) -> Iterator[str]:
        for line in self.lines:
            self.number += 1
            if isinstance(line, Flaw):
                self.flaw = self.flaw or line
                yield '"' * (line.quotes % 2) + "\n"
                continue
            self.taken += len(line)
            if self.taken > self.longest:
                raise self.never_closed()
            yield line + "\n"

    def never_closed(self) -> InputError:
        """Says where the row began whose quote is not closed: nobody can know where the next row begins."""
        cause = f'a quote (") opened in line {self.first:,} is not closed; without quoted cells, set quoted to false'
        return InputError(self.content.file.parameter, self.content.file.location, "rows as of RFC 4180", cause)


def quoted_rows(
    content: Content, lines: Iterator[Line], delimiter: str, policy: ReadingConfig
) -> Iterator[list[str] | Unreadable]:
    """The cells of every row.

    Raises:
        InputError: a quote is opened and not closed.
    """
    csv.field_size_limit(max(csv.field_size_limit(), policy.longest_line))  # rows are bounded by `Feed`
    feed = Feed(lines, content, policy.longest_line)
    parser = csv.reader(iter(feed), delimiter=delimiter, strict=True)
    while True:
        feed.begin_row()
        try:
            row = next(parser, None)
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                raise feed.never_closed() from error
            yield Unreadable("malformed", "", str(error))
            continue
        if feed.flaw:
            yield Unreadable(feed.flaw.reason, feed.flaw.text, "")
        elif row is None:
            return
        else:
            yield row
