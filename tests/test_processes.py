"""How `make test` divides the tests among processes."""

import re
import subprocess
import sys
from pathlib import Path

PLACES = ("tests/flows/test_labels.py", "tests/flows/artifacts/test_markdown.py", "tests/pipeline/test_keys.py")


def test_what_shares_a_set_up_is_run_by_one_process():
    top = Path(__file__).parents[1]
    command = [sys.executable, "-m", "pytest", "--numprocesses", "2", "-vv", *PLACES]
    run = subprocess.run(command, cwd=top, capture_output=True, text=True, timeout=200, check=False)
    assert run.returncode == 0, run.stdout
    ran = re.findall(r"\[(gw\d)\].* PASSED (tests/\w+)/", run.stdout)
    assert len(ran) > len(set(ran)) == 2, run.stdout  # each room in one process, and the rooms in different ones
