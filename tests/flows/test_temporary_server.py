"""The server of a run that names none: nothing of it stays where it is not needed."""

import pytest

from flows.server import wait_for
from flows.temporary_server import starting


def test_it_ends_by_itself_where_another_one_is_named(monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    with starting() as server:
        assert server.process.wait(timeout=60) == 0
    assert server.reason() == "exit code 0: "
    server.end()


def test_it_ends_where_the_run_does_not_come_to_begin():
    with pytest.raises(KeyError), starting() as server:
        raise KeyError
    assert server.process.poll() == -15


def test_what_keeps_it_from_starting_is_told(monkeypatch):
    monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", "nonsense://somebody:planted-word@nowhere/none")
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with starting() as server:
        server.process.wait(timeout=60)
    with pytest.raises(RuntimeError, match="temporary server does not answer, exit code 1") as error:
        wait_for(server)
    assert "planted-word" not in str(error.value)
    server.end()
