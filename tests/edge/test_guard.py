"""The boot guard as a process, started anew after each reset, with slots that do what releases do, good and bad."""

import shutil
import subprocess
import types

import pytest

from edge import guard
from pole.edge import bundle
from tests.edge import controller as parts
from tests.edge.conftest import Interpreter

GOOD = "def main(guard):\n    guard.confirm()\n    raise SystemExit\n"
WAITS = "def main(guard):\n    raise SystemExit\n"  # an ordered end before it was confirmed
BAD = {
    "raises at import": "raise RuntimeError('bad release')",
    "is half a file": "def main(guard",
    "has no main": "x = 1",
    "misses a module": "import edge.gone",
    "raises": "def main(guard):\n    raise OSError(5)",
    "returns": "def main(guard):\n    pass",
    "is empty": "",
    "hangs at import": "while True:\n    pass",
    "hangs": "import time\ndef main(guard):\n    while True:\n        time.sleep(1)",
}
HANGS = [name for name in BAD if "hangs" in name]
LONG = 60  # seconds of a trial that no slow machine lasts


class Controller:
    """A root folder with the guard as main.py. boot(): what one start printed; every start begins as after a reset."""

    def __init__(self, interpreter, root):
        self._interpreter = interpreter
        self.root = root
        parts.install(root, interpreter)

    def slot(self, name, program, version="0.1.0"):
        folder = self.root / name / "edge"
        shutil.rmtree(self.root / name, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("")
        (folder / "main.py").write_text(f"print('starts {name}')\n{program}\n")
        (self.root / name / "version").write_text(version)

    def boot(self):
        command = [*self._interpreter.command, self.root / "main.py"]
        run = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd="/")
        assert "guard.py" not in run.stderr, run.stderr  # nothing of a slot may break the guard itself
        return run.stdout.partition("starts ")[2][:1]

    def set(self, active, trial, tries, failed=0):
        parts.guard(self.root).save(0, ord(active), trial, tries, failed)

    @property
    def state(self):
        active, *rest = parts.guard(self.root).state
        return (chr(active), *rest)


@pytest.fixture(params=["cpython", "micropython32"])
def controller(request, tmp_path):
    return Controller(Interpreter(request.param, tmp_path), tmp_path)


def test_a_new_release_that_is_confirmed_stays(controller):
    controller.slot("a", GOOD)
    controller.slot("b", GOOD, "0.2.0")
    controller.set("b", LONG, 3)
    assert [controller.boot() for _ in range(3)] == ["b", "b", "b"]
    assert controller.state == ("b", 0, 0, 0)


def test_one_that_is_never_confirmed_goes_back(controller):
    controller.slot("a", GOOD)
    controller.slot("b", WAITS, "0.2.0")
    controller.set("b", LONG, 3)
    assert [controller.boot() for _ in range(6)] == ["b", "b", "b", "a", "a", "a"]
    assert controller.state == ("a", 0, 0, 1)


@pytest.mark.parametrize("how", BAD)
def test_a_bad_release_goes_back(controller, how):
    controller.slot("a", GOOD)
    controller.slot("b", BAD[how], "0.2.0")
    tries = 1 if how in HANGS else 3  # one takes a second
    controller.set("b", 1 if how in HANGS else LONG, tries)
    started = [controller.boot() for _ in range(tries + 2)]
    assert started[tries:] == ["a", "a"]
    assert controller.state == ("a", 0, 0, 1)
    assert (controller.root / "crash").exists() == (how not in HANGS)


def test_a_reset_after_a_failure_is_told_as_one_that_was_meant(controller):
    controller.slot("a", BAD["raises"])
    controller.set("a", 0, 0)
    controller.boot()
    assert (controller.root / "reset").read_text() == "software"  # what Board.reset_cause() reads


def test_a_power_cut_in_a_trial_is_a_try(controller):
    controller.slot("a", GOOD)
    controller.slot("b", "import time\ntime.sleep(60)\n", "0.2.0")
    controller.set("b", 200, 3)
    for _ in range(3):
        parts.cut(controller.root, controller._interpreter, "starts b")
    assert controller.boot() == "a"


@pytest.mark.parametrize("slots", [("a",), ("b",), ("a", "b")])
def test_without_its_file_whatever_is_whole_starts(controller, slots):
    for name in slots:
        controller.slot(name, GOOD)
    assert controller.boot() == slots[0]
    assert controller.state == (slots[0], 0, 0, 0)


@pytest.mark.parametrize("works", ["a", "b"])
def test_without_its_file_and_with_one_bad_slot_the_other_is_found(controller, works):
    for name in "ab":
        controller.slot(name, GOOD if name == works else BAD["raises"])
    started = [controller.boot() for _ in range(6)]
    assert started[-1] == works
    assert controller.state[:3] == (works, 0, 0)


def test_a_half_written_slot_is_not_started(controller):
    controller.slot("a", GOOD, "")
    controller.slot("b", GOOD)
    assert controller.boot() == "b"


def test_a_rotten_version_is_none(controller):
    controller.slot("a", GOOD)
    (controller.root / "a" / "version").write_bytes(b"\xff\xfe\0")
    controller.slot("b", GOOD)
    assert controller.boot() == "b"


def test_a_settled_slot_that_breaks_makes_room_for_the_other(controller):
    controller.slot("a", BAD["misses a module"])
    controller.slot("b", GOOD)
    controller.set("a", 0, 0)
    assert [controller.boot() for _ in range(5)] == ["a", "a", "a", "b", "b"]
    assert controller.state == ("b", 0, 0, 1)
    assert b"edge.gone" in (controller.root / "crash").read_bytes()


def test_where_nothing_works_it_tries_for_ever_and_a_repaired_slot_starts(controller):
    controller.slot("a", BAD["raises"])
    started = {controller.boot() for _ in range(4)}
    before = (controller.root / "slot").stat().st_mtime_ns
    assert started | {controller.boot() for _ in range(2)} == {"a"}
    assert (controller.root / "slot").stat().st_mtime_ns == before  # no wear
    controller.slot("b", BAD["raises"])
    assert {controller.boot() for _ in range(12)} == {"a", "b"}
    controller.slot("b", GOOD)
    assert "b" in [controller.boot() for _ in range(8)]
    assert controller.state[:3] == ("b", 0, 0)


def test_its_file_damaged_at_any_byte_or_cut_is_as_good_as_lost(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "version").write_text("0.1.0")
    parts.guard(tmp_path).save(0, ord("b"), 0, 0, 1)
    whole = (tmp_path / "slot").read_bytes()
    lost = bytes(parts.guard_without(tmp_path, "slot").state)
    damaged = [whole[:end] for end in range(len(whole))]
    damaged += [whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :] for at in range(12) for bit in range(8)]
    for content in damaged:
        (tmp_path / "slot").write_bytes(content)
        assert bytes(parts.guard(tmp_path).state) == lost
    (tmp_path / "slot.new").write_bytes(whole)  # cut between the two halves of a replacement
    assert bytes(parts.guard(tmp_path).state) == whole[:4]


def test_a_disk_that_takes_nothing_keeps_no_controller_from_its_last_good_release(controller):
    controller.slot("a", GOOD)
    controller.slot("b", WAITS, "0.2.0")
    controller.set("b", LONG, 3)
    (controller.root / "slot.new").mkdir()  # an attempt cannot be noted down, so it would never end
    assert controller.boot() == "a"


@pytest.mark.parametrize("numbers", [(-1,), (0, 1, 2, 3), ()])
def test_each_board_has_its_own_number_for_the_timer(monkeypatch, tmp_path, numbers):
    """-1 alone on an RP2040, 0 to 3 on an ESP32; a board without any counts the tries all the same."""
    timers = []

    class Timer:
        def __init__(self, number):
            if number not in numbers:
                raise ValueError("invalid Timer number")
            self.period = 0
            timers.append(self)

        def init(self, *, mode, period, callback):
            self.period = period

        def deinit(self):
            self.period = 0

    monkeypatch.setattr(guard, "machine", types.SimpleNamespace(Timer=Timer))
    (tmp_path / "a").mkdir()
    parts.guard(tmp_path).save(0, ord("b"), 120, 3, 0)
    started = guard.Guard(f"{tmp_path}/")
    monkeypatch.setattr(guard.sys, "path", [])
    monkeypatch.setitem(guard.sys.modules, "edge.main", None)  # which fails its import
    started.run()
    assert [timer.period for timer in timers] == [600_000] * bool(numbers)
    assert started.state == b"b\x78\2\0"
    started.confirm()
    assert [timer.period for timer in timers] == [0] * bool(numbers)


def test_the_bundle_does_not_carry_the_guard():
    assert "edge/guard" not in dict(bundle.modules("esp32"))
