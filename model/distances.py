"""How far two sequences are from each other: edit distance and longest common subsequence.

A column of the usual table is held in the bits of one whole number, so that a step costs some operations on such a
number and not one for each cell: pairs of texts cost milliseconds, not seconds.

Letters: M symbols of the first sequence, one bit each.
"""

from collections.abc import Hashable, Sequence


def edit_distance(first: Sequence[Hashable], second: Sequence[Hashable]) -> int:
    """How many insertions, deletions and replacements make one of the other (Levenshtein, 1966).

    The differences between neighbouring cells are held, as in Myers (1999) in the form of Hyyrö (2001).

    >>> edit_distance("kitten", "sitting"), edit_distance("rain and fog".split(), "rain".split())
    (3, 2)
    """
    if not first:
        return len(second)
    places, full = places_of(first), (1 << len(first)) - 1
    last = 1 << len(first) - 1
    rises, falls, distance = full, 0, len(first)  # down the column: where the next cell is one more, or one less
    for symbol in second:
        equal = places.get(symbol, 0)
        diagonal = (((equal & rises) + rises) ^ rises) | equal | falls
        up, down = falls | ~(diagonal | rises) & full, rises & diagonal  # along the row
        distance += bool(up & last) - bool(down & last)
        up, down = (up << 1 | 1) & full, down << 1 & full
        rises, falls = down | ~(diagonal | up) & full, up & diagonal
    return distance


def common_length(first: Sequence[Hashable], second: Sequence[Hashable]) -> int:
    """The length of the longest common subsequence (bit-parallel, Hyyrö, 2004).

    >>> common_length("police killed the gunman".split(), "police kill the gunman".split())
    3
    """
    places, full = places_of(first), (1 << len(first)) - 1
    free = full  # a bit that is gone is a place where the subsequence grows
    for symbol in second:
        matched = free & places.get(symbol, 0)
        free = ((free + matched) | (free - matched)) & full
    return len(first) - free.bit_count()


def places_of(sequence: Sequence[Hashable]) -> dict[Hashable, int]:
    """Where each symbol stands, as bits."""
    places: dict[Hashable, int] = {}
    for place, symbol in enumerate(sequence):
        places[symbol] = places.get(symbol, 0) | 1 << place
    return places
