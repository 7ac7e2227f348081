"""Which part of a corpus is new tonight.

The corpus is a chain of immutable generations: what was there on the first night, what the second one brought, and so
on. Which generations there are follows from the finished outputs of `ingest` and from nothing else: the chain that
holds most of what is in the configuration now is the one to go on with.

    night 1   a.tsv b.tsv        generation 1: a.tsv b.tsv
    night 2   a.tsv b.tsv c.tsv  generation 2: c.tsv
    night 3   a.tsv c.tsv        b.tsv is gone, so that generation 1 is no longer true: all is made anew
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.manifest import Manifest
from pipeline.reading.parts import Part

SHOWN = 3  # locations that a message names


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done about a corpus.

    Args:
        earlier: the generations that stay, by the last of them; None at first.
        new: the parts that make the next generation; empty: nothing is new.
        reason: what happened, in a phrase for people, or "".
    """

    earlier: Manifest | None
    new: tuple[Part, ...]
    reason: str


def plan(parts: Sequence[Part], outputs: Iterable[Manifest], *, keeps_changed: bool) -> Plan:
    """Compares what the configuration names with the generations there are.

    Args:
        parts: the whole corpus, in the order of the configuration.
        outputs: finished outputs of `ingest` under the same configuration, oldest first.
        keeps_changed: whether what was read from an older version of a file stays when the file changes.
    """
    known = known_parts(parts, keeps_changed=keeps_changed)
    best: list[Manifest] = []
    left_out: list[Manifest] = []
    for chain in chains(outputs):
        kept = still_true(chain, parts, known)
        if worth(kept, parts) >= worth(best, parts):
            best, left_out = kept, chain[len(kept) :]
    remaining = Counter(identity for made in best for identity in identities_of(made))
    new = []
    for part in parts:
        if remaining[identity_of(part)]:
            remaining[identity_of(part)] -= 1
        else:
            new.append(part)
    return Plan(best[-1] if best else None, tuple(new), reason_for(len(best), new, left_out, known))


def identity_of(part: Part) -> tuple[str, ...]:
    """What makes two parts the same, wherever they lie."""
    return identity(remembered(part))


def identities_of(made: Manifest) -> list[tuple[str, ...]]:
    """The same of the parts that a generation was made of."""
    return [identity(part) for part in made.facts["parts"]]


def identity(part: Mapping[str, Any]) -> tuple[str, ...]:
    """The same of a part as manifests remember it; nothing depends on the origin of a held-out set."""
    return part["split"], part["digest"], part["reading"], part["origin"] if part["split"] == "train" else ""


def known_parts(parts: Sequence[Part], *, keeps_changed: bool) -> set[tuple[str, ...]]:
    """The parts there are; where a file may change and stay, its location stands for all of its versions."""
    known = {identity_of(part) for part in parts}
    if keeps_changed:
        known |= {place_of(remembered(part)) for part in parts if part.split == "train"}
    return known


def place_of(part: Mapping[str, Any]) -> tuple[str, ...]:
    """A part without its content."""
    return part["split"], "at", part["location"], part["reading"], part["origin"]


def remembered(part: Part) -> dict[str, str]:
    """A part as manifests remember it."""
    return {name: getattr(part, name) for name in ("split", "location", "digest", "reading", "origin")}


def chains(outputs: Iterable[Manifest]) -> Iterator[list[Manifest]]:
    """The longest chains among finished outputs, each with its oldest generation first.

    What has lost a file is no output, and neither is what was added to it.
    """
    whole = {made.fingerprint: made for made in outputs if not made.missing_files()}
    continued = {made.earlier for made in whole.values()}
    for made in whole.values():
        if made.fingerprint in continued:
            continue
        chain = [made]
        while chain[-1].earlier in whole:
            chain.append(whole[chain[-1].earlier])
        if not chain[-1].earlier:
            yield chain[::-1]


def still_true(chain: list[Manifest], parts: Sequence[Part], known: set[tuple[str, ...]]) -> list[Manifest]:
    """The generations up to the first with a part that is gone; none where the held-out sets are others now."""
    held_out = Counter(identity_of(part) for part in parts if part.split != "train")
    if held_out != Counter(part for part in identities_of(chain[0]) if part[0] != "train"):
        return []
    order = ranks_of([remembered(part) for part in parts])
    for number, made in enumerate(chain):
        ranks = [order.get(origin, -1) for origin in ranks_of(made.facts["parts"])]
        if gone_from(made, known) or ranks != sorted(ranks):
            return chain[:number]
    return chain


def ranks_of(parts: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The place of each origin among the sources, where the earlier one wins."""
    origins = dict.fromkeys(part["origin"] for part in parts if part["split"] == "train")
    return {origin: rank for rank, origin in enumerate(origins)}


def gone_from(made: Manifest, known: set[tuple[str, ...]]) -> list[str]:
    """Locations of a generation's parts that are no longer in the configuration."""
    pairs = zip(identities_of(made), made.facts["parts"], strict=True)
    return [part["location"] for identity, part in pairs if identity not in known and place_of(part) not in known]


def worth(chain: list[Manifest], parts: Sequence[Part]) -> tuple[int, int, str]:
    """How many of the parts a chain holds, then how many in all, older versions of files included.

    Between equals the fingerprint decides, so that it is always the same one.
    """
    held = Counter(identity for made in chain for identity in identities_of(made))
    return (held & Counter(map(identity_of, parts))).total(), held.total(), chain[-1].fingerprint if chain else ""


def reason_for(generations: int, new: Sequence[Part], left_out: list[Manifest], known: set[tuple[str, ...]]) -> str:
    """The phrase for people."""
    phrases = []
    if left_out:
        gone = listed(gone_from(left_out[0], known))
        why = f"{gone} is gone or changed" if gone else "a held-out set or the order of the sources changed"
        numbers = f"generation {generations + 1}" if len(left_out) == 1 else f"generations {generations + 1} and on"
        everything = "" if generations else ", held-out sets and vocabulary too"
        phrases.append(f"{numbers} made anew{everything}, as {why}")
    if generations and new:
        phrases.append(f"generation {generations + 1}: {listed([part.location for part in new])}")
    return "; ".join(phrases)


def listed(locations: list[str]) -> str:
    """Some names and how many more.

    >>> listed(["a", "b", "c", "d"])
    'a, b, c and 1 more'
    """
    more = len(locations) - SHOWN
    return ", ".join(locations[:SHOWN]) + (f" and {more} more" if more > 0 else "")
