"""docs/add-a-device.md, followed to the letter without a device."""

import re
import shlex
from pathlib import Path

import pytest

from device_profiles import loader
from tests.pole.test_profile import pole

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "add-a-device.md").read_text("utf-8")
COMMANDS = [shlex.split(line)[1:] for line in re.findall(r"^    (pole profile .*)$", PAGE, re.M)]
PRINTED = re.findall(r"^```text\n(.*?)^```", PAGE, re.M | re.S)
# what else the page asks the reader to write in step 3
FILLED_IN = ((r"caveats:\n.*\n", ""), (r'"FILL IN: “Supply voltage”[^"]*"', "供电电压"))


def command(*words: str) -> list[str]:
    """The page's one command with these words, and none with a port or of another protocol."""
    found = [each for each in COMMANDS if set(words) <= set(each)]
    (only,) = [each for each in found if "--port" not in each and "copy.yaml" not in each]
    return only


def lines(text: str) -> list[str]:
    """Without figures that differ from run to run: raw words and values, and which device is the nearest."""
    kept = [line for line in text.splitlines() if not line.startswith("nearest device")]
    return [re.sub(r"\b[0-9a-f]{4}\b|\d+(\.\d+)?", "#", re.sub(r"\s+", " ", line)).replace("# #", "#") for line in kept]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    (table,) = re.findall(r"^```csv\n(.*?)^```", PAGE, re.M | re.S)
    (folder / "acme-w3.csv").write_text(table, "utf-8")
    return folder


def test_the_page_leads_to_a_profile_that_passes(desk):
    done = pole(*command("new"), cwd=desk)
    assert done.returncode == 0, done.stderr
    assert lines(done.stdout) == lines(PRINTED[0])
    path = desk / "acme-w3.yaml"
    for pattern, new in FILLED_IN:
        text, count = re.subn(pattern, new, path.read_text("utf-8"))
        assert count == 1
        path.write_text(text, "utf-8")

    done = pole(*command("try", "--once"), cwd=desk)
    assert done.returncode == 0, done.stderr
    assert lines(done.stdout)[1:] == lines(PRINTED[1])

    done = pole(*command("try", "--record"), cwd=desk)
    assert done.returncode == 0, done.stderr
    done = pole(*command("check"), cwd=desk)
    assert (done.returncode, done.stdout) == (0, PRINTED[2])
    assert loader.load_golden(path, loader.load(path)).recorded is False


def test_the_symptoms_of_the_page_are_what_try_prints():
    hints = (Path(loader.FOLDER).parent / "pole" / "trial" / "hints.py").read_text("utf-8")
    trial = (Path(loader.FOLDER).parent / "pole" / "trial" / "registers.py").read_text("utf-8")
    for words in ("often no value", "word_order: ", "scale: ", "type: ", "address: "):
        assert words in PAGE
        assert words in hints
    assert "its points answer one by one" in PAGE
    assert "its points answer one by one" in trial
