from pathlib import Path

import yaml

from flows.settings import RetrainConfig, load

INFRA = Path(__file__).parents[2] / "infra"


def test_the_nightly_deployment_is_the_weather_preset():
    (deployment,) = yaml.safe_load((INFRA / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    assert RetrainConfig.model_validate(deployment["parameters"]["config"]) == load("weather")
    assert (INFRA.parent / deployment["entrypoint"].partition(":")[0]).exists()
    assert deployment["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}
