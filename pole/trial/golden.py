"""An exchange that just happened, as the golden file beside a profile."""

import difflib
import json
from pathlib import Path

import yaml

from device_profiles import exchange, loader, problems
from device_profiles.items import Value
from device_profiles.schema import Golden, Profile
from pole.trial.outcome import Round

WIDTH = 110


def beside(profile_file: Path) -> Path:
    """Where a profile's exchange is kept."""
    return profile_file.with_name(profile_file.stem + loader.GOLDEN)


def text(profile: Profile, done: Round, *, framing: str, source: str, recorded: bool) -> str:
    """The file's content. Raises ValueError where nothing was shown, FileProblem where it would not replay."""
    shown = {name: each for name, each in done.shown.items() if each.quality in (None, "range")}
    if not shown:
        raise ValueError("no point was answered, so there is nothing to record")
    uncovered = [name for name in profile.points if name not in shown]
    lines = [
        "# yaml-language-server: $schema=../golden.schema.json",
        f"source: {_scalar(source)}",
        f"recorded: {'true' if recorded else 'false'}",
        *([] if framing == "rtu" else [f"framing: {framing}"]),
        "exchanges:",
        *(line for sent, came in done.exchanges for line in (f"  - [{_quoted(sent)},", f"     {_quoted(came)}]")),
        "values:",
        *(f"  {_scalar(name)}: {_scalar(each.value)}" for name, each in shown.items()),
        *([f"uncovered: [{', '.join(uncovered)}]"] if uncovered else []),
    ]
    out = "\n".join(lines) + "\n"
    _replay(profile, out)
    return out


def difference(path: Path, new: str) -> str:
    """What writing would change, as a unified diff; empty where nothing."""
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = difflib.unified_diff(old.splitlines(True), new.splitlines(True), str(path), "this exchange", n=1)
    return "".join(lines)


def _replay(profile: Profile, written: str) -> None:
    data = problems.Document(yaml.safe_load(written), {})
    golden = problems.check(Golden, data, "this exchange")
    found = exchange.faults(profile, golden)
    if found:
        raise problems.problem(found, data, "this exchange")


def _scalar(value: Value | None) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        plain = (
            value.isprintable()
            and value.strip() == value
            and value[:1].isalpha()
            and not set(value) & set(":#'\"{}[],&*!|>%@`")
        )
        return (
            value
            if plain and value.lower() not in ("true", "false", "null", "yes", "no", "on", "off")
            else _quoted(value)
        )
    return json.dumps(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
