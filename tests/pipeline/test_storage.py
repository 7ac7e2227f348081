"""Files in a folder and in a bucket of a real server: the same promises of both."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from pipeline.errors import InputError
from pipeline.storage import ABSENT, Conflict, LocalStorage, Storage, check_name, open_storage

RACERS = 32


@pytest.fixture
def storage(location: str) -> Storage:
    return open_storage(location)


def test_reads_what_was_written_with_its_generation(storage: Storage) -> None:
    generation = storage.write("a/one.json", b"1")

    stored = storage.read("a/one.json")

    assert stored is not None
    assert (stored.data, stored.generation) == (b"1", generation)


def test_an_absent_file_reads_as_none(storage: Storage) -> None:
    assert storage.read("a/one.json") is None
    assert not storage.exists("a/one.json")


def test_a_conditional_write_replaces_exactly_what_was_read(storage: Storage) -> None:
    first = storage.write("one", b"1", if_generation=ABSENT)
    second = storage.write("one", b"2", if_generation=first)

    with pytest.raises(Conflict, match="one was changed by another writer"):
        storage.write("one", b"3", if_generation=first)
    with pytest.raises(Conflict):
        storage.write("one", b"3", if_generation=ABSENT)

    stored = storage.read("one")
    assert stored is not None
    assert (stored.data, stored.generation) == (b"2", second)


def test_a_conditional_write_to_a_deleted_file_is_lost(storage: Storage) -> None:
    generation = storage.write("one", b"1")
    storage.delete("one")

    with pytest.raises(Conflict):
        storage.write("one", b"2", if_generation=generation)

    assert storage.read("one") is None


def test_lists_files_at_any_depth_and_folders_at_one(storage: Storage) -> None:
    for name in ("a/2/x", "a/2/y/z", "a/10/x", "ab/x", "top"):
        storage.write(name, b"")

    assert storage.names() == ["a/10/x", "a/2/x", "a/2/y/z", "ab/x", "top"]
    assert storage.names("a/2") == ["a/2/x", "a/2/y/z"]
    assert storage.names("absent") == []
    assert storage.folders() == ["a", "ab"]
    assert storage.folders("a") == ["10", "2"]
    assert storage.folders("absent") == []


def test_deleting_twice_is_no_error(storage: Storage) -> None:
    storage.write("a/one", b"1")

    storage.delete("a/one")
    storage.delete("a/one")

    assert storage.names() == []


@pytest.mark.parametrize("size", [0, 1, 9 * 2**20], ids=["empty", "one byte", "too large for one request"])
def test_a_file_comes_back_as_it_was(storage: Storage, tmp_path: Path, size: int) -> None:
    given, back = tmp_path / "given", tmp_path / "new" / "folder" / "back"
    given.write_bytes(os.urandom(size))

    storage.upload(given, "a/file")
    storage.download("a/file", back)

    assert back.read_bytes() == given.read_bytes()
    assert [path.name for path in back.parent.iterdir()] == ["back"]


def test_downloading_an_absent_file_leaves_nothing(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="registry = "):
        storage.download("a/file", tmp_path / "new" / "back")

    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "../up", "a/../../up", "a//b", "a/", "./a", ".hidden", "a\\..\\b", "a\0b", "a\nb", "x" * 901],
)
def test_a_name_cannot_leave_the_location(storage: Storage, tmp_path: Path, name: str) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"1")
    attempts: list[Callable[[], object]] = [
        lambda: storage.read(name),
        lambda: storage.write(name, b"1"),
        lambda: storage.upload(source, name),
        lambda: storage.download(name, tmp_path / "target"),
        lambda: storage.exists(name),
        lambda: storage.delete(name),
        lambda: storage.local(name),
    ]

    for attempt in attempts:
        with pytest.raises(InputError, match=r"^name = "):
            attempt()

    assert storage.names() == []
    assert list(tmp_path.iterdir()) == [source]


def test_an_ordinary_name_is_taken_as_it_is() -> None:
    name = "weather-en-fr/versions/0001/export/variables/variables.data-00000-of-00001"

    assert check_name(name) == name


def test_a_symbolic_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    (root / "link").symlink_to(outside)

    with pytest.raises(InputError, match="a symbolic link leads out of it"):
        LocalStorage(str(root)).write("link/file", b"1")

    assert list(outside.iterdir()) == []


def test_a_writable_location_is_found_so_and_left_empty(storage: Storage) -> None:
    storage.check_writable()

    assert storage.names() == []


def test_only_a_folder_has_local_paths(tmp_path: Path, bucket: str) -> None:
    assert open_storage(str(tmp_path)).local("a/b") == tmp_path / "a" / "b"
    assert open_storage(bucket).local("a/b") is None


# --- locations that cannot be used


def test_a_folder_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    location = str(tmp_path / "file" / "registry")

    with pytest.raises(InputError) as caught:
        open_storage(location).check_writable()

    assert str(caught.value) == (
        f"registry = {location}: expected a folder that can be read and written (Not a directory: {location})"
    )


def test_a_folder_the_system_refuses_cannot_be_written() -> None:
    with pytest.raises(InputError, match="registry = /proc/registry: expected a folder that can be read and written"):
        open_storage("/proc/registry").check_writable()


@pytest.mark.parametrize("location", ["", "s3://bucket/prefix", "gs://", "gs://Bucket/prefix", "gs://a b/prefix"])
def test_a_location_of_no_known_kind_is_refused(location: str) -> None:
    with pytest.raises(InputError, match=r"^models\.registry = .*: expected .*gs://bucket/prefix"):
        open_storage(location, "models.registry")


# --- races


@pytest.mark.usefixtures("slow_renames")
@pytest.mark.parametrize("is_first", [True, False], ids=["create", "replace"])
def test_one_of_many_racing_threads_wins(location: str, is_first: bool) -> None:
    generation = ABSENT if is_first else open_storage(location).write("alias", b"start")
    together = Barrier(RACERS)

    def race(racer: int) -> bool:
        storage = open_storage(location)
        together.wait(timeout=30)
        try:
            storage.write("alias", str(racer).encode(), if_generation=generation)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(RACERS) as pool:
        won = list(pool.map(race, range(RACERS)))

    stored = open_storage(location).read("alias")
    assert stored is not None
    assert [racer for racer in range(RACERS) if won[racer]] == [int(stored.data)]


RACING_PROCESS = """
import json, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from pipeline.storage import ABSENT, Conflict, open_storage

rename = Path.replace
Path.replace = lambda path, target: (time.sleep(0.005), rename(path, target))

location, process, threads, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
together = Barrier(threads)

def race(thread):
    storage, won = open_storage(location), []
    together.wait(30)
    for round in range(rounds):
        try:
            storage.write(f"claims/{round}", f"{process}.{thread}".encode(), if_generation=ABSENT)
            won.append(round)
        except Conflict:
            pass
    return won

print("ready", flush=True)
sys.stdin.readline()
with ThreadPoolExecutor(threads) as pool:
    print(json.dumps({f"{process}.{thread}": won for thread, won in enumerate(pool.map(race, range(threads)))}))
"""


def test_one_of_many_racing_processes_wins_each_round(location: str) -> None:
    processes, threads, rounds = 4, RACERS // 4, 10
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACING_PROCESS, location, str(process), str(threads), str(rounds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for process in range(processes)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    results: dict[str, list[int]] = {}
    with ThreadPoolExecutor(processes) as pool:
        for answer, _ in pool.map(lambda racer: racer.communicate("go\n", timeout=60), racers):
            results |= json.loads(answer)

    storage = open_storage(location)
    assert len(results) == RACERS
    assert sorted(turn for won in results.values() for turn in won) == list(range(rounds))
    for winner, won in results.items():
        for turn in won:
            stored = storage.read(f"claims/{turn}")
            assert stored is not None
            assert stored.data == winner.encode()


KILLED_WRITER = """
import sys, time
from pipeline.storage import LocalStorage, partial_of

storage = LocalStorage(sys.argv[1])
with storage._lock(), partial_of(storage.root / "alias") as partial:
    partial.write_bytes(b"half of it")
    print("half", flush=True)
    time.sleep(60)
"""


def test_a_killed_writer_leaves_neither_lock_nor_half_a_file(tmp_path: Path) -> None:
    storage = LocalStorage(str(tmp_path))
    generation = storage.write("alias", b"before")
    writer = subprocess.Popen([sys.executable, "-c", KILLED_WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    with writer, ThreadPoolExecutor(1) as pool:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "half\n"
        waiting = pool.submit(storage.write, "alias", b"after", if_generation=generation)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.2)
        writer.send_signal(signal.SIGKILL)
        waiting.result(timeout=30)

    assert storage.names() == ["alias"]
    stored = storage.read("alias")
    assert stored is not None
    assert stored.data == b"after"
