from pathlib import Path

import yaml

from flows.deploying import env_of_runs
from flows.shift import FLOWS, beginning

INFRA = Path(__file__).parents[2] / "infra"


def test_the_deployments_are_those_that_nightshift_deploy_makes():
    made = yaml.safe_load((INFRA / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    flows = {deployment["entrypoint"]: deployment for deployment in made}
    assert list(flows) == [f"flows/{word}.py:{word}" for word in (name.replace("-", "_") for name in FLOWS)]
    night, *parts = made
    assert night["name"] == "nightly"
    assert night["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}
    assert night["schedules"] == [{"cron": "0 2 * * *", "timezone": "UTC"}]
    for deployment in parts:
        assert deployment["name"] == deployment["work_pool"]["name"]
        assert "schedules" not in deployment
    for deployment in made:
        assert (INFRA.parent / deployment["entrypoint"].partition(":")[0]).exists()
        assert deployment["work_pool"]["job_variables"]["env"] == env_of_runs()
        expected = {} if "translate" in deployment["entrypoint"] else beginning("weather", {})
        assert deployment.get("parameters", {}) == expected


def test_the_services_are_reached_from_this_machine_alone():
    services = yaml.safe_load((INFRA / "compose.yaml").read_text(encoding="utf-8"))["services"]
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_no_password_is_written_down():
    services = yaml.safe_load((INFRA / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert services["database"]["environment"]["POSTGRES_PASSWORD"].startswith("${NIGHTSHIFT_DB_PASSWORD:?")
