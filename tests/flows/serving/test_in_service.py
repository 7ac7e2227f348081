"""Another version takes over while one answers, or does not."""

from pathlib import Path

import pytest

from flows.serving import in_service
from flows.serving.in_service import How, InService
from flows.use import Chosen
from model.registry import Registry
from pipeline.errors import InputError


@pytest.fixture
def service(registry: Path) -> InService:
    return InService(Chosen(str(registry), None, "champion"))


def move(registry: Path, to: int) -> None:
    models = Registry(str(registry), "tiny")
    models.move_alias("champion", to, expected=models.alias("champion"), why="a test")


def flip(registry: Path) -> None:
    """Changes a byte of version 2, or changes it back."""
    path = registry / "tiny/versions/0002/export/saved_model.pb"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)


def test_the_champion_is_followed(service: InService, registry: Path):
    (before,) = service.translate(How(), ["rain"])
    service.look()
    assert service.served.version.number == before.version == 1
    move(registry, 2)
    service.look()
    (after,) = service.translate(How(), ["rain"])
    assert after.version == 2
    assert after.hypotheses[0].text != before.hypotheses[0].text
    move(registry, 1)
    service.look()
    assert service.translate(How(), ["rain"]) == [before]


def test_a_broken_version_does_not_take_over(service: InService, registry: Path, caplog: pytest.LogCaptureFixture):
    flip(registry)
    move(registry, 2)
    (before,) = service.translate(How(), ["rain"])
    for _ in range(3):
        service.look()
        assert service.problem == "version 2 could not be loaded"
        assert service.translate(How(), ["rain"]) == [before]
    assert len(caplog.records) == 1  # and not one for each look
    assert "saved_model.pb" in caplog.text
    flip(registry)
    service.next_attempt = 0.0
    service.look()
    assert (service.served.version.number, service.problem) == (2, "")


def test_a_broken_version_is_tried_less_and_less_often(
    service: InService, registry: Path, monkeypatch: pytest.MonkeyPatch
):
    now = 0.0
    monkeypatch.setattr(in_service.time, "monotonic", lambda: now)
    flip(registry)
    move(registry, 2)
    attempts = []
    for second in range(40):
        now = float(second)
        before = service.next_attempt
        service.look()
        if service.next_attempt != before:
            attempts.append(second)
    assert attempts == [0, 1, 3, 7, 15, 31]


def test_a_champion_that_moves_back_is_no_problem(service: InService, registry: Path):
    flip(registry)
    move(registry, 2)
    service.look()
    move(registry, 1)
    service.look()
    assert service.problem == ""


def test_a_registry_that_is_gone_is_told(service: InService, registry: Path):
    (before,) = service.translate(How(), ["rain"])
    registry.rename(registry.with_name("elsewhere"))
    service.look()
    assert service.problem == "the registry could not be read"
    assert service.translate(How(), ["rain"]) == [before]
    registry.with_name("elsewhere").rename(registry)
    service.look()
    assert service.problem == ""


def test_a_number_is_not_followed(registry: Path):
    service = InService(Chosen(str(registry), None, "1"))
    move(registry, 2)
    service.look()
    assert (service.served.version.number, service.follows) == (1, None)


def test_a_broken_version_is_not_begun_with(registry: Path):
    flip(registry)
    with pytest.raises(InputError, match="damaged after it was registered"):
        InService(Chosen(str(registry), None, "2"))
