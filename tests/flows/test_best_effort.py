import logging

import httpx
import pytest
from prefect.exceptions import PrefectException

from flows.best_effort import best_effort


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (httpx.ConnectError("Connection refused\nand more"), "ConnectError: Connection refused"),
        (httpx.ReadTimeout(""), "ReadTimeout: "),
        (PrefectException("gone"), "PrefectException: gone"),
    ],
)
def test_a_server_that_is_away_is_told_and_passed_over(caplog, error, told):
    caplog.set_level(logging.WARNING, "nightshift")
    with best_effort("tags"):
        raise error
    assert caplog.messages == [f"tags             not shown: {told}"]


def test_a_defect_is_not_passed_over():
    with pytest.raises(KeyError), best_effort("tags"):
        raise KeyError("x")
