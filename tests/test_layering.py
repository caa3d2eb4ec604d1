"""Who may import whom. The stages are coupled by the broker alone; `wire` also runs on a pole controller."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "wire": set(),
    "protocols": set(),
    "device_profiles": {"wire", "protocols"},
    "edge": {"wire"},
    "gateway": {"wire", "protocols", "device_profiles"},
    "ingest": {"wire", "device_profiles"},
    "linkage": {"wire", "device_profiles"},
    "dashboards": {"wire", "device_profiles"},
    "simulators": {"wire", "protocols", "device_profiles"},
}
MAY_IMPORT["pole"] = set(MAY_IMPORT) | {"bench"}
MAY_IMPORT["bench"] = set(MAY_IMPORT)


def imported(source):
    """(line, top-level module) of every import, also inside functions and `if TYPE_CHECKING`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "(relative)" if node.level else node.module.split(".")[0]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("importlib.import_module", "__import__"):
            first = node.args[0] if node.args else None
            yield node.lineno, str(first.value).split(".")[0] if isinstance(first, ast.Constant) else "(computed)"


def violations(package, source, packages):
    """Imports that `package` may not make; `packages` are all of ours."""
    forbidden = set(packages) - MAY_IMPORT[package] - {package} | {"tests", "(relative)"}
    return [f"line {line}: {package} imports {module}" for line, module in imported(source) if module in forbidden]


def our_packages():
    return sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))


def test_every_package_has_a_rule():
    assert set(our_packages()) >= {"wire", "device_profiles", "gateway", "ingest", "simulators", "pole"}
    assert set(our_packages()) <= set(MAY_IMPORT)


@pytest.mark.parametrize("package", our_packages())
def test_imports_follow_the_layers(package):
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    found = [
        f"{path.relative_to(ROOT)} {violation}"
        for path in files
        for violation in violations(package, path.read_text(encoding="utf-8"), MAY_IMPORT)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("package", "source"),
    [
        ("gateway", "import ingest.rows"),
        ("ingest", "def late():\n    from gateway.spool import Spool\n"),
        ("wire", "import json, device_profiles"),
        ("device_profiles", "if TYPE_CHECKING:\n    from pole import broker\n"),
        ("edge", "from device_profiles.loader import load"),
        ("simulators", "import importlib\nimportlib.import_module('gateway.modbus.bus')"),
        ("dashboards", "from . import panels"),
        ("gateway", "from tests.parts import servers"),
    ],
)
def test_a_violation_is_found(package, source):
    assert len(violations(package, source, MAY_IMPORT)) == 1


@pytest.mark.parametrize(
    ("package", "source"),
    [
        ("gateway", "import asyncio, wire.packs\nfrom device_profiles import loader\nimport gateway.modbus.bus"),
        ("pole", "import ingest"),
    ],
)
def test_what_is_allowed_is_not_reported(package, source):
    assert violations(package, source, MAY_IMPORT) == []
