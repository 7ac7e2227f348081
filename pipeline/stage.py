"""How every stage runs: skip what is done, say why it runs, write the manifest last.

A stage is one function declared once with `@stage(...)`, and the same object is called by the library, by the command
line and by the flow:

    @stage("clean", section="clean", version=1, takes=("corpus",), makes="pairs")
    def clean(config: CleanConfig, corpus: Manifest, *, folder: Path, beam: BeamConfig) -> Outcome: ...

    pairs = clean(CleanConfig(), corpus, output_dir=workspace / "clean", beam=BeamConfig())

The body writes its files into `folder`, which is `output_dir` and the first digits of the fingerprint. Outputs are
therefore never overwritten: a second configuration has a folder of its own, and going back to the first costs nothing.
"""

import fcntl
import inspect
import logging
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from pipeline import manifest as manifests
from pipeline.config import StageConfig
from pipeline.errors import InputError
from pipeline.manifest import InputRecord, Manifest

log = logging.getLogger("nightshift")

Config = TypeVar("Config", bound=StageConfig)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a stage's body reports beside the files it wrote.

    Args:
        counts: whole numbers by dotted name, `train.read` or `train.rejected.empty`.
        facts: any other JSON values that later stages or people want, such as scores.
        starts_anew: for a stage that grows: what was made replaces the generations before it.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    starts_anew: bool = False


@dataclass(frozen=True, slots=True)
class Outside:
    """What a stage reads beside manifests.

    Args:
        records: digests, by name.
        earlier: the stage's own output that this one adds to.
        reason: why there is something to do, in a phrase, where the stage knows better than by comparing names.
        given: keywords for the body.
    """

    records: Mapping[str, InputRecord]
    earlier: Manifest | None = None
    reason: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage(Generic[Config]):
    """A stage: `stage(config, *inputs, output_dir=...) -> Manifest`.

    A stage that grows works generation by generation: it first sees that its own output for the generation before each
    input is there, then adds one for the inputs themselves. What older generations hold is not made again.

    Args:
        name: how people call it; also the command's name.
        section: the key of its part of the configuration, for messages.
        version: raised whenever the same inputs would give another output.
        takes: kinds of the manifests it reads, in order.
        makes: kind of the manifest it writes.
        body: the work itself; gets the inputs' manifests and the keyword `folder`.
        resumes: the body goes on from what a killed run left in the folder, which is emptied otherwise.
        grows: the body may ask for the keyword `earlier`, the stage's output for the generation before, None at first,
            and for `is_newest`, whether no later generation is waiting.
        reads: for inputs of which only some files are read: patterns of their paths, by kind; no pattern where the
            manifest says all that is needed.
        still_holds: for an output that lives elsewhere too: whether a finished run is still worth its manifest.
        outside: what it reads beside manifests, given the configuration, the stage's folder and the manifests.
    """

    name: str
    section: str
    version: int
    takes: tuple[str, ...]
    makes: str
    body: Callable[..., Outcome]
    resumes: bool = False
    grows: bool = False
    reads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    still_holds: Callable[..., bool] | None = None
    outside: Callable[..., Outside] | None = None

    def __call__(self, config: Config, *inputs: Manifest, output_dir: Path, **resources: Any) -> Manifest:
        """Returns the finished output if there is one, and makes it otherwise.

        Args:
            config: what to compute; part of the fingerprint.
            inputs: manifests of the kinds in `takes`.
            output_dir: the stage's folder, which holds one folder for each fingerprint.
            resources: how to compute it (Beam runner, devices); never part of the fingerprint.
        """
        finished = self.find(config, *inputs, output_dir=output_dir, **resources)
        if finished:
            log.info("%-16s reused    %s", self.name, describe(finished.totals()))
            return finished
        make_folder(output_dir)
        *before, last = self.generations(inputs)
        earlier = None
        for given in before:
            earlier = self.finished(config, given, earlier, output_dir, resources) or self.make(
                config, given, earlier, output_dir, resources, is_newest=False
            )
        return self.make(config, last, earlier, output_dir, resources, is_newest=True)

    def make(
        self,
        config: Config,
        inputs: tuple[Manifest, ...],
        earlier: Manifest | None,
        output_dir: Path,
        resources: dict[str, Any],
        *,
        is_newest: bool,
    ) -> Manifest:
        """Makes the output for one generation of the inputs; `earlier` is the output for the one before."""
        outside = self.look_outside(config, output_dir, *inputs)
        earlier = earlier or outside.earlier
        records = self.records(inputs, outside, earlier)
        fingerprint = self.fingerprint(config, records)
        folder = manifests.folder_of(output_dir, fingerprint)
        reason = self.why(config, records, output_dir, folder, outside.reason)
        started = time.monotonic()
        with only_one(output_dir / f".{folder.name}.lock"):
            finished = self.whole(fingerprint, output_dir, resources)
            if finished:  # by another run, between the first look and the lock
                log.info("%-16s reused    %s", self.name, describe(finished.counts))
                return finished
            log.info("%-16s started   %s", self.name, reason)
            make_folder(folder)
            (folder / manifests.NAME).unlink(missing_ok=True)
            remove(folder.rglob(manifests.PARTIAL) if self.resumes else folder.iterdir())
            with leaving_nothing_half_written(folder, is_worth_keeping=self.resumes):
                for given in inputs:  # a stage that grows reads the newest generation, others the whole chain
                    patterns = self.reads.get(given.kind)
                    if patterns != ():
                        verify([given] if self.grows else given.chain(), *(patterns or ()))
                growth = {manifests.EARLIER: earlier, "is_newest": is_newest} if self.grows else {}
                grown = {name: value for name, value in growth.items() if name in self.keywords}
                outcome = self.body(config, *inputs, folder=folder, **resources, **outside.given, **grown)
            remove(folder.rglob(manifests.PARTIAL))  # of a worker that was killed, and whose work another did again
            made = Manifest(
                kind=self.makes,
                stage=self.name,
                stage_version=self.version,
                fingerprint=fingerprint,
                earlier=earlier.fingerprint if earlier and not outcome.starts_anew else "",
                config=config.canonical(),
                inputs=records,
                files=manifests.file_records(folder),
                counts=dict(outcome.counts),
                facts=dict(outcome.facts),
                versions=manifests.package_versions(),
                finished=datetime.now(UTC).isoformat(timespec="microseconds"),
                seconds=round(time.monotonic() - started, 3),
                directory=folder,
            )
            manifests.write(made)
        log.info("%-16s done      %s in %.1f s", self.name, describe(made.counts), made.seconds)
        return made

    def find(self, config: Config, *inputs: Manifest, output_dir: Path, **resources: Any) -> Manifest | None:
        """The finished output for exactly this configuration and these inputs, or None."""
        found = None
        for given in self.generations(inputs):
            found = self.finished(config, given, found, output_dir, resources)
            if not found:
                return None
        return found

    def finished(
        self,
        config: Config,
        inputs: tuple[Manifest, ...],
        earlier: Manifest | None,
        output_dir: Path,
        resources: Mapping[str, Any],
    ) -> Manifest | None:
        """The finished output for one generation of the inputs, or None."""
        outside = self.look_outside(config, output_dir, *inputs)
        records = self.records(inputs, outside, earlier or outside.earlier)
        return self.whole(self.fingerprint(config, records), output_dir, resources)

    def pending(self, config: Config, *inputs: Manifest, output_dir: Path, **resources: Any) -> str:
        """Why a call would have something to do, in a phrase; empty where it would find all of it finished."""
        earlier = None
        for given in self.generations(inputs):
            found = self.finished(config, given, earlier, output_dir, resources)
            if not found:
                outside = self.look_outside(config, output_dir, *given)
                records = self.records(given, outside, earlier or outside.earlier)
                folder = manifests.folder_of(output_dir, self.fingerprint(config, records))
                return self.why(config, records, output_dir, folder, outside.reason)
            earlier = found
        return ""

    def whole(self, fingerprint: str, output_dir: Path, resources: Mapping[str, Any]) -> Manifest | None:
        """The output of a fingerprint if nothing of it is missing, or None."""
        found = manifests.read_if_whole(manifests.folder_of(output_dir, fingerprint))
        if not found or found.fingerprint != fingerprint or found.missing_files():
            return None
        if self.still_holds and not self.still_holds(found, **resources):
            return None
        return found

    @property
    def resources(self) -> tuple[str, ...]:
        """Names of the resources that the body needs by keyword."""
        given = {"folder", manifests.EARLIER, "is_newest"}
        needed = (name for name, keyword in self.keywords.items() if keyword.default is keyword.empty)
        return tuple(name for name in needed if name not in given)

    @property
    def keywords(self) -> dict[str, inspect.Parameter]:
        """The body's keywords."""
        parameters = inspect.signature(self.body).parameters.items()
        return {name: parameter for name, parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}

    def generations(self, inputs: tuple[Manifest, ...]) -> list[tuple[Manifest, ...]]:
        """The inputs for each generation of the output, the oldest first; of a stage that does not grow, one.

        The first input decides how many there are. Another one that started anew, such as a vocabulary, serves all
        generations before it.
        """
        generations = [inputs]
        while self.grows and (before := generations[-1][0].before()):
            generations.append((before, *(given.before() or given for given in generations[-1][1:])))
        return generations[::-1]

    def look_outside(self, config: Config, output_dir: Path, *inputs: Manifest) -> Outside:
        """What the stage reads beside these manifests."""
        return self.outside(config, output_dir, *inputs) if self.outside else Outside({})

    def fingerprint(self, config: Config, records: Mapping[str, InputRecord]) -> str:
        """Hash of the stage's version, its configuration and its inputs."""
        return manifests.fingerprint(self.name, self.version, config.canonical(), records)

    def records(
        self, inputs: tuple[Manifest, ...], outside: Outside, earlier: Manifest | None
    ) -> dict[str, InputRecord]:
        """The inputs by kind or name; raises `InputError` where a manifest is of another kind than the stage reads."""
        kinds = tuple(given.kind for given in inputs)
        if kinds != self.takes:
            raise InputError(f"{self.name} inputs", ", ".join(kinds) or "none", f"manifests of {', '.join(self.takes)}")
        records = {given.kind: manifests.input_record(given) for given in inputs} | dict(outside.records)
        return records | ({manifests.EARLIER: manifests.input_record(earlier)} if earlier else {})

    def why(
        self, config: Config, records: Mapping[str, InputRecord], output_dir: Path, folder: Path, reason: str = ""
    ) -> str:
        """One phrase that says what makes the stage run."""
        there = manifests.read_if_whole(folder)
        if there and not there.missing_files():
            return "because what it made elsewhere is not there"
        if (folder / manifests.NAME).exists():
            return "because what it made is damaged or gone"
        if folder.exists():
            return "again, after a run that did not finish"
        earlier = list(manifests.complete_outputs(output_dir))
        if not earlier:
            return "for the first time"
        last = earlier[-1]
        changes = []
        if last.stage_version != self.version:
            changes.append(f"stage version {last.stage_version} -> {self.version}")
        changes += differences(self.section, last.config, config.canonical())
        before = records.get(manifests.EARLIER)
        if not reason and before and before.fingerprint == last.fingerprint:
            reason = "for the next generation"
        if reason and not changes:
            return reason
        names = (name for name, record in records.items() if last.inputs.get(name) != record)
        changes += [f"new {name}" for name in names if name != manifests.EARLIER]
        return "because of " + ", ".join(changes or ["other earlier generations"])


def stage(
    name: str,
    *,
    section: str,
    version: int,
    takes: tuple[str, ...],
    makes: str,
    **more: Any,
) -> Callable[[Callable[..., Outcome]], Stage[Any]]:
    """Declares a function to be the body of a stage; see `Stage` for the arguments."""

    def declare(body: Callable[..., Outcome]) -> Stage[Any]:
        made: Stage[Any] = Stage(name, section, version, takes, makes, body, **more)
        object.__setattr__(made, "__doc__", body.__doc__)
        return made

    return declare


def differences(prefix: str, before: object, after: object) -> list[str]:
    """Names and values of what differs between two configurations.

    >>> differences("train", {"steps": 10, "seed": 1}, {"steps": 20, "seed": 1})
    ['train.steps 10 -> 20']
    """
    if isinstance(before, dict) and isinstance(after, dict):
        keys = sorted(before.keys() | after.keys())
        return [line for key in keys for line in differences(f"{prefix}.{key}", before.get(key), after.get(key))]
    was, now = ("not set" if value is None else value for value in (before, after))
    return [] if before == after else [f"{prefix} {was} -> {now}"]


def describe(counts: Mapping[str, int]) -> str:
    """Counts as a person reads them.

    >>> describe({"train.read": 22000, "train.kept": 20000})
    'train.read 22,000  train.kept 20,000'
    """
    return "  ".join(f"{name} {number:,}" for name, number in counts.items())


@contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Holds a lock that the operating system takes back from a process that dies."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            allowed = "no other run at work on the same output"
            raise InputError("workspace", lock.parent, allowed, "wait for it to end") from error
        yield


@contextmanager
def leaving_nothing_half_written(folder: Path, *, is_worth_keeping: bool) -> Iterator[None]:
    """Removes the folder when the work in it fails, unless what is in it is worth going on from."""
    try:
        yield
    except BaseException:
        if not is_worth_keeping or not any(folder.iterdir()):
            shutil.rmtree(folder)
        raise


def make_folder(folder: Path) -> None:
    """Creates a folder and its parents; raises `InputError` where that cannot be done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("workspace", folder, "a folder that can be written", str(error.strerror)) from error


def verify(given: Iterable[Manifest], *patterns: str) -> None:
    """Raises `InputError` for an input that is not what was written, and takes its manifest back.

    Without a manifest it is no output any more, so the stage that made it makes it anew in the next run.

    Args:
        given: the generations to look at.
        patterns: the files to look at in each; none: all.
    """
    for generation in given:
        try:
            generation.verify(*patterns)
        except InputError as error:
            (generation.directory / manifests.NAME).unlink(missing_ok=True)
            cause = f"{error.cause}; run the same command again and {generation.stage} makes it anew"
            raise InputError(error.parameter, error.value, error.allowed, cause) from error


def remove(paths: Iterable[Path]) -> None:
    """Removes files and folders."""
    for path in list(paths):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
