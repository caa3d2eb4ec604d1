"""What no file of the repository may carry: a registry's address, a path of the machine it was written on, a secret."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Written apart, so that this file does not find itself
REGISTRIES = [
    "py" + "pi.org", "python" + "hosted.org", "registry." + "npmjs", "deb." + "debian.org", "security." + "debian.org",
    "archive." + "ubuntu", "proxy." + "golang", "docker" + ".io", "ghcr" + ".io", "quay" + ".io",
]  # fmt: skip
# Folders where a person's or a builder's own files lie; /tmp alone is an ordinary word in documentation
MACHINE_PATH = re.compile(
    r"(?<![\w.~-])/(?:root|work|builds?|github/workspace|(?:home|Users|tmp)/[\w.-]+)/[\w.-]+",
)
ADDRESS = re.compile(r"https?://|git\+|ssh://|^\s*(?:-i|--index-url|--extra-index-url|-f|--find-links)\b|@ file:", re.M)
PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")


def tracked():
    """Files that git carries or would carry, as text."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    for name in filter(None, names):
        path = ROOT / name
        if path.is_file():
            yield name, path.read_text(encoding="utf-8", errors="replace")


def finds(pattern):
    return [f"{name}: {match[0]}" for name, text in tracked() for match in re.finditer(pattern, text)]


def test_no_file_names_a_package_registry():
    assert finds("|".join(map(re.escape, REGISTRIES))) == []


def test_no_file_names_a_path_of_a_build_machine():
    assert finds(MACHINE_PATH) == []


def test_no_file_carries_a_private_key():
    assert finds(PRIVATE_KEY) == []


@pytest.mark.parametrize(
    "path", ["/" + "root/x", "see /" + "work/main", "'/" + "home/ann/x'", "/" + "tmp/pytest-1/log"]
)
def test_a_path_of_a_build_machine_is_recognised(path):
    assert MACHINE_PATH.search(path)


@pytest.mark.parametrize(
    "path", ["/etc/mosquitto/x", "poles/root/x", "docs/work/x", "/dev/serial/by-id/x", "/var/lib/x"]
)
def test_an_ordinary_path_is_not(path):
    assert not MACHINE_PATH.search(path)


@pytest.mark.parametrize("lock", ["run", "dev"])
def test_locks_carry_hashes_and_no_address(lock):
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    assert not ADDRESS.search(text)
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) > 15
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_locks_hold_every_dependency_and_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    run, dev = locked("run"), locked("dev")
    needed = names(project["dependencies"]) | set().union(*(names(extras[key]) for key in extras if key != "dev"))
    assert needed - set(run) == set(), "run `make lock`"
    assert names(extras["dev"]) - {"multipole"} - set(dev) == set(), "run `make lock`"
    assert {name: dev.get(name) for name in run} == run


def locked(lock):
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements" / f"{lock}.txt").read_text(), re.M))


def names(requirements):
    return {re.match(r"[A-Za-z0-9._-]+", line)[0].lower().replace("_", "-").replace(".", "-") for line in requirements}
