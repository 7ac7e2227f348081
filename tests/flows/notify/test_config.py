import pytest

from flows.notify.config import NotifyConfig, address_of, check_notify
from flows.settings import load
from pipeline.errors import InputError

SECRET = "https://hooks.example.org/services/T0/abcdef"


def test_nobody_is_told_unless_it_is_asked_for():
    assert load("weather").notify == NotifyConfig()
    assert address_of(NotifyConfig()) == ""


@pytest.mark.parametrize("address", [SECRET, "http://127.0.0.1:9/a", "http://localhost/a", "http://[::1]:9/a"])
def test_the_address_is_in_the_environment(monkeypatch, address):
    monkeypatch.setenv("HOOK", address)
    assert address_of(NotifyConfig(webhook="env:HOOK")) == address
    check_notify(NotifyConfig(webhook="env:HOOK"))


@pytest.mark.parametrize(
    "address", ["http://hooks.example.org/services/T0/abcdef", "abcdef", "file:///abcdef", "https://[abcdef"]
)
def test_an_address_that_is_not_safe_is_refused_and_not_shown(monkeypatch, address):
    monkeypatch.setenv("HOOK", address)
    with pytest.raises(InputError) as refused:
        check_notify(NotifyConfig(webhook="env:HOOK"))
    expected = "notify.webhook = env:HOOK: expected what it names to hold an address that begins with https://"
    assert str(refused.value) == expected


def test_a_variable_that_is_not_set_is_told_before_the_night(monkeypatch):
    monkeypatch.delenv("HOOK", raising=False)
    with pytest.raises(InputError, match=r"notify\.webhook = env:HOOK: .*\(not set where this runs\)"):
        check_notify(NotifyConfig(webhook="env:HOOK"))


def test_an_address_in_the_configuration_is_refused_and_not_shown():
    with pytest.raises(InputError) as refused:
        load("weather", overrides=[f"notify.webhook={SECRET}"])
    assert "abcdef" not in str(refused.value)
    assert str(refused.value).startswith("notify.webhook = (not shown): expected text of the form ^(|(env|secret):")


def test_it_changes_no_output(monkeypatch):
    from flows.dag import STAGES

    told = load("weather", overrides=["notify.webhook=env:HOOK"])
    assert [told.section(stage) for stage in STAGES] == [load("weather").section(stage) for stage in STAGES]


def test_the_address_is_in_a_block_of_the_server(prefect):
    from prefect.settings import PREFECT_API_URL, temporary_settings

    kind = prefect.ask("block_types/slug/secret")["id"]
    (schema,) = prefect.ask("block_schemas/filter", {"block_schemas": {"block_type_id": {"any_": [kind]}}, "limit": 1})
    block = {"name": "nights-that-fail", "data": {"value": SECRET}, "block_type_id": kind}
    prefect.ask("block_documents/", block | {"block_schema_id": schema["id"]})
    with temporary_settings({PREFECT_API_URL: prefect.url}):
        assert address_of(NotifyConfig(webhook="secret:nights-that-fail")) == SECRET
        with pytest.raises(InputError, match=r"notify\.webhook = secret:none-such: expected what it names"):
            address_of(NotifyConfig(webhook="secret:none-such"))
