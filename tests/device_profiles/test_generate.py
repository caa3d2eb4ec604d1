"""The schemas for editors say what the models say."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from device_profiles import generate

ROOT = Path(__file__).parents[2]


def test_the_committed_schemas_are_up_to_date() -> None:
    assert generate.stale() == []


def test_a_changed_schema_is_noticed_and_written_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(generate, "FOLDER", tmp_path)
    monkeypatch.setattr(sys, "argv", ["generate", "--check"])
    assert generate.main() == 1
    monkeypatch.setattr(sys, "argv", ["generate"])
    assert generate.main() == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "golden.schema.json", "profile.schema.json", "site.schema.json", "vocabulary.schema.json",
    ]  # fmt: skip
    (tmp_path / "site.schema.json").write_text("{}")
    assert generate.stale() == [tmp_path / "site.schema.json"]


def test_unknown_keys_are_refused_in_the_editor_too() -> None:
    for name in ("profile", "site", "golden", "vocabulary"):
        schema = json.loads((ROOT / "device_profiles" / f"{name}.schema.json").read_text("utf-8"))
        assert schema["additionalProperties"] is False
        models = [part for part in schema.get("$defs", {}).values() if part.get("type") == "object"]
        assert all(part["additionalProperties"] is False for part in models)


def test_the_check_runs_as_a_command() -> None:
    command = [sys.executable, "-m", "device_profiles.generate", "--check"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60).returncode == 0
