"""Real parts for every test: a broker, databases, MicroPython. A part that is missing fails the run in CI."""

from pathlib import Path

import pytest
import structlog

from pole.broker import Broker, BrokerError, find_program
from tests.parts.servers import Influx1, Victoria, missing

TOOLS = Path(__file__).resolve().parent.parent / ".tools"
# What takes longest begins first: with only these left, the other processes would wait for one.
LONGEST = tuple(
    f"tests/{name}"
    for name in (
        "promise/", "pole/fleet/test_depths.py", "pole/demo/test_demo.py", "edge/test_agent", "ingest/test_service.py",
        "pole/flash/", "pole/edge/test_update", "simulators/fleet/", "pole/fleet/", "gateway/disk/", "bench/",
        "gateway/asked/test_snmp_hostile.py", "ingest/test_workers", "pole/test_bus_scan.py", "pole/test_site_push.py",
    )
)  # fmt: skip
USERS = ("gw-1", "gw-2", "ingest", "operator", "chirpstack")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


@pytest.fixture(autouse=True)
def log_as_it_was():
    """What a command sets up for its log ends with its test: the next one in this process hears its own."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def broker(request, tmp_path):
    """A running mosquitto from the repository's configuration. Users: USERS, or those of an indirect parameter.

    `broker.passwords[user]` is a user's password, `broker.port` the port; kill(), start() and restart() keep both.
    """
    try:
        find_program("mosquitto")
    except BrokerError as problem:
        missing(str(problem))
    users = getattr(request, "param", USERS)
    process = Broker(folder=tmp_path / "broker", passwords={user: f"{user}-secret" for user in users})
    process.start()
    yield process
    process.kill()


@pytest.fixture(scope="session")
def influx1_server(tmp_path_factory):
    server = Influx1(folder=tmp_path_factory.mktemp("influx1"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def influx1(influx1_server):
    """A real InfluxDB 1 with an empty database (`influx1.database`), at `influx1.url`."""
    influx1_server.fresh()
    return influx1_server


@pytest.fixture
def victoria(tmp_path):
    """A real and empty VictoriaMetrics at `victoria.url`: InfluxDB's v2 write API."""
    server = Victoria(folder=tmp_path / "victoria")
    server.start()
    yield server
    server.kill()


@pytest.fixture(params=["micropython", "micropython32"], ids=["64-bit", "32-bit"])
def micropython(request):
    """Path of a real MicroPython interpreter: once with 8-byte words, once with 4-byte words, as on a controller."""
    path = TOOLS / request.param
    if not path.exists():
        missing(f".tools/{request.param} is not there; `make test` fetches it")
    return path
