from pathlib import Path

import yaml

from flows.settings import RetrainConfig, load

INFRA = Path(__file__).parents[2] / "infra"


def test_the_nightly_deployment_is_the_weather_preset():
    (deployment,) = yaml.safe_load((INFRA / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    assert RetrainConfig.model_validate(deployment["parameters"]["config"]) == load("weather")
    assert (INFRA.parent / deployment["entrypoint"].partition(":")[0]).exists()
    assert deployment["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}


def test_the_services_are_reached_from_this_machine_alone():
    services = yaml.safe_load((INFRA / "compose.yaml").read_text(encoding="utf-8"))["services"]
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_no_password_is_written_down():
    services = yaml.safe_load((INFRA / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert services["database"]["environment"]["POSTGRES_PASSWORD"].startswith("${NIGHTSHIFT_DB_PASSWORD:?")
