from pathlib import Path

import yaml

from flows.deploying import NIGHTLY, env_of_runs
from flows.shift import FLOWS, beginning

INFRA = Path(__file__).parents[2] / "infra"


def test_the_deployments_are_those_that_nightshift_deploy_makes():
    made = yaml.safe_load((INFRA / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    flows = {deployment["entrypoint"]: deployment for deployment in made}
    assert list(flows) == [f"flows/{word}.py:{word}" for word in (name.replace("-", "_") for name in FLOWS)]
    night, *parts = made
    assert night["name"] == "nightly"
    assert night["work_pool"]["work_queue_name"] == NIGHTLY
    assert "concurrency_limit" not in night  # such a limit ends nights when the server does not hear of them
    assert night["schedules"] == [{"cron": "0 2 * * *", "timezone": "UTC"}]
    for deployment in parts:
        assert deployment["name"] == deployment["work_pool"]["name"]
        assert "schedules" not in deployment
    for deployment in made:
        assert (INFRA.parent / deployment["entrypoint"].partition(":")[0]).exists()
        assert deployment["work_pool"]["job_variables"]["env"] == env_of_runs()
        expected = {} if "translate" in deployment["entrypoint"] else beginning("weather", {})
        assert deployment.get("parameters", {}) == expected
