"""Passwords and keys in addresses: refused in a configuration, and never part of what is said."""

import re

import pytest
from pydantic import TypeAdapter, ValidationError

from pipeline.errors import InputError
from pipeline.redaction import redacted
from pipeline.secrets import Place, token_for, without_secrets
from pipeline.sources import CorpusConfig

PLANTED = "pl4nted"
WITH_SECRETS = [
    f"https://ada:{PLANTED}@data.example.org/a.en",
    f"https://{PLANTED}@data.example.org/a.en",
    f"https://data.example.org/a.en?token={PLANTED}",
    f"https://data.example.org/a.en?v=1&X-Amz-Signature={PLANTED}",
    f"https://data.example.org/a.en?sig={PLANTED}",
    f"https://data.example.org/a.en?v=1;accessToken={PLANTED}",
    f"https://data.example.org/a.en?AWSAccessKeyId={PLANTED}",
]
PLAIN = [
    "a.en",
    "data/ada@home/a.en",
    "gs://bucket/a@b.en",
    "https://data.example.org/a.en?version=3&keyword=x",
    "https://[",
]


@pytest.mark.parametrize("place", WITH_SECRETS)
def test_a_configuration_with_a_secret_is_refused_without_quoting_it(place):
    with pytest.raises(ValidationError) as caught:
        CorpusConfig(train=[{"source": place, "target": "a.de", "source_sha256": "0" * 64}])
    assert "NIGHTSHIFT_HTTPS_TOKEN_DATA_EXAMPLE_ORG" in str(caught.value)
    assert PLANTED not in str(caught.value)


@pytest.mark.parametrize("place", PLAIN)
def test_other_places_pass(place):
    assert without_secrets(place) == place


def test_the_schema_that_servers_check_says_the_same():
    pattern = TypeAdapter(Place).json_schema()["pattern"]
    assert [place for place in WITH_SECRETS if re.search(pattern, place)] == []
    assert [place for place in PLAIN if not re.search(pattern, place)] == []


@pytest.mark.parametrize(
    "text",
    [
        *WITH_SECRETS,
        f"postgresql+asyncpg://ada:{PLANTED}@db/prefect",
        f"postgresql+asyncpg://ada:{PLANTED}/{PLANTED}@db/prefect",
        f"[{{'path': 'https://ada:{PLANTED}@host/a'}}, 'https://host/b?api_key={PLANTED}']",
    ],
)
def test_what_is_said_holds_no_secret(text):
    assert PLANTED not in redacted(text)
    for said in (str, repr):
        assert PLANTED not in said(InputError("parameter", text, "something else", f"so says {text}"))


@pytest.mark.parametrize(
    "text", ["gs://models/weather-en-fr@champion", "http://127.0.0.1:4200/api", "ada@host", *PLAIN]
)
def test_what_is_no_secret_is_said(text):
    assert redacted(text) == text


def test_a_token_is_for_one_host(monkeypatch):
    monkeypatch.setenv("NIGHTSHIFT_HTTPS_TOKEN_DATA_EXAMPLE_ORG", f" {PLANTED}\n")
    assert token_for("data.example.org") == token_for("DATA.example.org") == PLANTED
    assert token_for("example.org") == ""
