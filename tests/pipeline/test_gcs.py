"""What only a bucket knows: preconditions, credentials, and answers that get lost on the way; on a real server."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.storage import ABSENT, Conflict, open_storage

Faulty = Callable[..., AbstractContextManager[str]]


def in_turn(faults: list[tuple[str, int, bool]]) -> Callable[[str], tuple[int, bool] | None]:
    """Faults that each happen once: (method, status to answer, whether the request is carried out)."""

    def fault(method: str) -> tuple[int, bool] | None:
        found = next((fault for fault in faults if fault[0] == method), None)
        if found:
            faults.remove(found)
        return found[1:] if found else None

    return fault


def test_a_prefix_cannot_leave_its_bucket(bucket: str) -> None:
    with pytest.raises(InputError, match=r"^name = a/../b"):
        open_storage(f"{bucket}/a/../b")


def test_a_bucket_that_does_not_exist_is_named(bucket: str) -> None:
    with pytest.raises(InputError) as caught:
        open_storage(f"{bucket}-other/prefix")

    assert str(caught.value) == (
        f"registry = {bucket}-other/prefix: expected a bucket that exists (create it first, or correct the name)"
    )


def test_missing_credentials_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")

    with pytest.raises(InputError, match="registry = gs://bucket/prefix: expected a bucket and credentials for it"):
        open_storage("gs://bucket/prefix")


def test_a_write_whose_answer_got_lost_is_not_reported_as_lost(
    bucket: str, faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [("POST", 503, True)]
    with faulty(in_turn(faults)) as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        storage = open_storage(bucket)
        generation = storage.write("claim", b"mine", if_generation=ABSENT)

        with pytest.raises(Conflict):
            storage.write("claim", b"mine", if_generation=ABSENT)
        stored = storage.read("claim")

    assert faults == []
    assert stored is not None
    assert (stored.data, stored.generation) == (b"mine", generation)


def test_equal_bytes_of_another_writer_do_not_pass_for_ours(bucket: str) -> None:
    open_storage(bucket).write("claim", b"same", if_generation=ABSENT)

    with pytest.raises(Conflict):
        open_storage(bucket).write("claim", b"same", if_generation=ABSENT)


@pytest.mark.parametrize("status", [429, 503])
def test_requests_the_service_could_not_serve_are_repeated(
    bucket: str, faulty: Faulty, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    faults = [("POST", status, False), ("GET", status, False), ("DELETE", status, True)]
    with faulty(in_turn(faults)) as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        storage = open_storage(bucket)
        storage.write("one", b"1")
        stored = storage.read("one")
        storage.delete("one")

        assert stored is not None
        assert stored.data == b"1"
        assert storage.names() == []
    assert faults == []


def test_credentials_without_permission_are_told(bucket: str, faulty: Faulty, monkeypatch: pytest.MonkeyPatch) -> None:
    with faulty(in_turn([("POST", 403, False)])) as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)

        with pytest.raises(InputError, match="expected a bucket these credentials may read and write"):
            open_storage(bucket).check_writable()


def test_a_service_that_stays_away_is_no_bad_input(
    bucket: str, faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    from google.cloud.storage.retry import DEFAULT_RETRY

    from pipeline import gcs

    monkeypatch.setattr(gcs, "DEFAULT_RETRY", DEFAULT_RETRY.with_timeout(0.2))
    with faulty(in_turn([("GET", 503, False)] * 20)) as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)

        with pytest.raises(ConnectionError, match=f"{bucket} could not be reached"):
            open_storage(bucket)


def test_a_conditional_write_is_one_request(bucket: str) -> None:
    with pytest.raises(ValueError, match="need upload"):
        open_storage(bucket).write("large", bytes(8 * 2**20 + 1), if_generation=ABSENT)
