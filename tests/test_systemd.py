"""systemd/multipole-ingest.service: systemd's own check of it, and that it agrees with its configuration and ingest."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ingest import config, environment, workers
from tests.parts.servers import missing

ROOT = Path(__file__).resolve().parent.parent
UNIT = ROOT / "systemd/multipole-ingest.service"


def told(directive):
    return re.findall(rf"^{directive}=(.*)$", UNIT.read_text(), re.M)


@pytest.fixture
def unit(tmp_path):
    """The unit with a program that this machine has."""
    if shutil.which("systemd-analyze") is None:
        missing("systemd-analyze is not installed")
    path = tmp_path / UNIT.name
    path.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text(), flags=re.M))
    return path


def test_systemd_finds_nothing_wrong_and_little_exposed(unit):
    run = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    run = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", unit],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout


def test_its_configuration_writes_where_it_may_and_reads_the_secret_that_it_is_given():
    settings = config.load(ROOT / "systemd/ingest.yaml", {})
    (state,) = told("StateDirectory")
    for path in (settings.path(settings.dead_letters), Path(settings.store.removeprefix("sqlite:"))):
        assert path.parent == Path("/var/lib") / state
    credential = told("LoadCredential")[0].partition(":")[0]
    assert settings.password_file == Path("/run/credentials") / UNIT.name / credential


def test_it_waits_longer_than_workers_take_to_stop_and_sets_keys_that_there_are():
    assert float(told("TimeoutStopSec")[0]) > workers.STOP_S
    names = dict(line.split("=", 1) for line in told("Environment"))
    assert environment.settings(config.Config.model_fields, names) == {"log": "json"}
