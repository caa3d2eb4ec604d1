"""compose.yaml against the files that it names. No container runs here: what is checked is that the parts agree."""

import http.server
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml

from ingest import config, workers

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]


@pytest.fixture
def secrets(tmp_path):
    """Runs a copy of scripts/secrets.sh in a folder of its own; returns the folder after a first run."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/secrets.sh", tmp_path / "scripts")
    make_secrets(tmp_path)
    return tmp_path


def make_secrets(folder, *nodes):
    command = [folder / "scripts/secrets.sh", *nodes]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob(".secrets/**/*") if path.is_file()}


def test_every_mounted_file_exists_and_every_volume_is_declared():
    for name, service in SERVICES.items():
        for source in (volume.split(":")[0] for volume in service["volumes"]):
            assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], (name, source)


def test_every_secret_is_declared_and_made_by_the_script(secrets):
    used = {secret for service in SERVICES.values() for secret in service["secrets"]}
    assert used == set(COMPOSE["secrets"])
    for secret in COMPOSE["secrets"].values():
        assert len((secrets / secret["file"]).read_text()) >= 48
    assert (secrets / SERVICES["grafana"]["env_file"]).read_text().startswith("INFLUXDB_TOKEN=")


def test_every_secret_path_inside_a_container_is_given_to_it():
    for name, service in SERVICES.items():
        text = yaml.safe_dump(service) + ((ROOT / "compose/ingest.yaml").read_text() if name == "ingest" else "")
        assert set(re.findall(r"/run/secrets/(\w+)", text)) == set(service["secrets"]), name


def test_ports_are_published_on_this_machine_only():
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 3
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_ingest_reads_the_broker_and_writes_the_bucket_that_compose_makes():
    made = SERVICES["influxdb"]["environment"]
    org, bucket = made["DOCKER_INFLUXDB_INIT_ORG"], made["DOCKER_INFLUXDB_INIT_BUCKET"]
    loaded = config.load(ROOT / "compose/ingest.yaml")
    assert loaded.store == f"influx2:http://influxdb:8086/{org}/{bucket}"
    assert loaded.broker == "mqtt://ingest@mosquitto:1883"
    assert SERVICES["ingest"]["command"][-1] in SERVICES["ingest"]["volumes"][0]
    assert SERVICES["grafana"]["environment"]["INFLUXDB_BUCKET"] == bucket


def test_workers_are_counted_by_the_environment_and_their_sessions_outlive_the_container(monkeypatch):
    service = SERVICES["ingest"]
    ((name, text),) = service["environment"].items()
    assert text == f"${{{name}:-}}"
    for given, wanted in (("", None), ("4", 4)):
        loaded = config.load(ROOT / "compose/ingest.yaml", {name: given})
        assert loaded.workers == wanted
    monkeypatch.setattr(config.socket, "gethostname", lambda: service["hostname"])
    assert loaded.of_worker(2, http="127.0.0.1:0").client_id == "ingest-1-ingest-2"
    limit = float(service["stop_grace_period"].removesuffix("s"))
    assert limit > workers.STOP_S


def test_prometheus_scrapes_ingest_and_grafana_asks_prometheus():
    (job,) = yaml.safe_load((ROOT / "compose/prometheus.yaml").read_text())["scrape_configs"]
    ((target,),) = [config["targets"] for config in job["static_configs"]]
    service, _, port = target.partition(":")
    assert service in SERVICES
    assert config.load(ROOT / "compose/ingest.yaml").http == f"0.0.0.0:{port}"
    (option,) = [option for option in SERVICES["prometheus"]["command"] if option.startswith("--config.file=")]
    assert option.partition("=")[2] in SERVICES["prometheus"]["volumes"][0]
    assert SERVICES["grafana"]["environment"]["PROMETHEUS_URL"] == "http://prometheus:9090"


def test_the_health_check_of_ingest_can_run_and_tells_dead_from_alive():
    command = SERVICES["ingest"]["healthcheck"]["test"]
    assert command[:3] == ["CMD", "python", "-c"]

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    code = command[3].replace("9464", str(server.server_address[1]))
    assert code != command[3]
    assert subprocess.run([sys.executable, "-c", code], stderr=subprocess.DEVNULL, check=False).returncode == 0
    server.shutdown()
    server.server_close()
    assert subprocess.run([sys.executable, "-c", code], stderr=subprocess.DEVNULL, check=False).returncode != 0


def test_grafana_gets_every_variable_and_folder_that_its_provisioning_names():
    provisioning = ROOT / "dashboards/provisioning"
    text = "".join(path.read_text() for path in provisioning.rglob("*.yaml"))
    given = set(SERVICES["grafana"]["environment"]) | {"INFLUXDB_TOKEN"}
    named = set(re.findall(r"\$\{(\w+)\}", text))
    assert named
    assert named <= given
    (path,) = re.findall(r"path: (\S+)", text)
    assert path in [volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]]


def test_the_broker_reads_its_files_where_mosquitto_conf_looks():
    script = SERVICES["mosquitto"]["command"][2]
    conf = (ROOT / "mosquitto.conf").read_text()
    for directive in ("password_file", "acl_file"):
        (path,) = re.findall(rf"^{directive} (\S+)", conf, re.M)
        assert path in script or (Path(path).name in script and f" {Path(path).parent}/\n" in script)
    (folder,) = re.findall(r"^persistence_location (\S+)/", conf, re.M)
    assert f"mosquitto:{folder}" in SERVICES["mosquitto"]["volumes"]


def test_secrets_stay_when_a_node_is_added_and_differ_from_each_other(secrets):
    before = contents(secrets)
    assert make_secrets(secrets, "gw-1").returncode == 0
    after = contents(secrets)
    assert {name: after[name] for name in before if name != ".secrets/broker-users"} == {
        name: text for name, text in before.items() if name != ".secrets/broker-users"
    }
    users = dict(line.split(":") for line in after[".secrets/broker-users"].splitlines())
    assert sorted(users) == ["gw-1", "ingest", "operator"]
    assert len(set(users.values())) == 3
    assert (secrets / ".secrets").stat().st_mode & 0o077 == 0


def test_a_name_that_cannot_be_a_node_is_refused(secrets):
    before = contents(secrets)
    answer = make_secrets(secrets, "gw:1")
    assert answer.returncode == 1
    assert "'gw:1' cannot be a node's name" in answer.stderr
    assert contents(secrets) == before


def test_the_image_copies_what_exists_and_git_ignores_the_secrets():
    for source in re.findall(r"^COPY (\S+)", (ROOT / "Dockerfile").read_text(), re.M):
        assert (ROOT / source).exists()
    for file in (".gitignore", ".dockerignore"):
        assert ".secrets" in [line.rstrip("/") for line in (ROOT / file).read_text().splitlines()]
