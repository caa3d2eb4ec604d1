"""Times on a controller, and where they come from."""

from tests.edge.clock_server import Servers
from tests.edge.journal_folder import folder  # noqa: F401


def test_cases(interpreter, folder):  # noqa: F811
    assert "ran 13" in interpreter.run("clock", folder=folder)


def test_servers(interpreter):
    with Servers() as servers:
        assert "ran 6" in interpreter.run("clock_servers", ports=servers.ports)
