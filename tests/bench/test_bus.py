import copy
import io
import json
from xml.etree import ElementTree

import pytest
from rich.console import Console
from typer.testing import CliRunner

from bench import bus, bus_picture, bus_view
from bench.bus_faults import growth
from bench.rig import Window
from pole.command import app
from simulators.wire_account import Account, Transaction

SHARES = {"share_least": 0.9, "wanted": 0.95, "lost_ms": 1.0, "cpu_us": 500, "kept_waiting_ms": 0.2}
SPENT = {"ours": 10.0, "one request a register": 60.0, "telegraf": 10.0}
GOOD = {
    "saturation": [
        {"mix": "demo bus", "baud": 9600, "latency_ms": None, "share": 0.96, "share_most": 0.97, **SHARES},
        {"mix": "demo bus", "baud": 9600, "latency_ms": 1.5, "share": 0.95, "share_most": 0.95, **SHARES},
        {"mix": "demo bus", "baud": 115200, "latency_ms": 1.5, "share": 0.85, "share_most": 0.85, **SHARES},
    ],
    "planned": [{"mix": mix, "baud": 9600, "ms_a_reading": SPENT} for mix in ("demo pole", "demo bus", "meters")],
    "measured": [
        {"mix": "demo pole", "baud": 9600, "ways": {"ours": {"ms_a_reading": 10.0, "requests": 3, "violations": 0}}}
    ],
    "refusal": {
        "baud": 115200, "ours": {"readings_lost_while_it_learned": 2, "readings_lost_afterwards": 0},
        "telegraf": {"readings_lost_a_second": 1.0, "of": 11.0},
    },
    "dead": [
        {
            "fault": "dead", "others_period": 0.03, "others_period_while_found_out": 0.2, "other_bus": 0.0,
            "unit_1_of_the_other_bus": -0.01, "asked_without_an_answer": 2, "asked": 100,
        }
    ],
    "flaky": [],
    "commands": [
        {
            "baud": 9600, "commands": 200, "transaction_ms": 30.0, "longest_transaction_ms": 90.0,
            "begun_in_between": {"p50": 0, "p99": 1, "most": 2}, "wait_ms": {"p50": 10.0, "p99": 50.0, "most": 60.0},
        }
    ],
}  # fmt: skip


def changed(*path, to):
    result = copy.deepcopy(GOOD)
    inner = result
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = to
    return result


def broken(result):
    return [row["what"] for row in bus.verdicts(result) if not row["kept"]]


def test_every_promise_is_judged():
    assert broken(GOOD) == []
    assert len(bus.verdicts(GOOD)) == 9


@pytest.mark.parametrize(
    ("path", "to", "said"),
    [
        (("saturation", 1, "share_most"), 0.949, "9600 baud: time on the wire"),
        (("saturation", 2, "share_most"), 0.849, "115200 baud: time on the wire"),
        (("planned", 2, "ms_a_reading"), {**SPENT, "telegraf": 9.9}, "another way needs less"),
        (("planned", 0, "ms_a_reading"), {**SPENT, "ours": 10.0, "one request a register": 49.0}, "demo pole"),
        (("planned", 1, "ms_a_reading"), {**SPENT, "ours": 10.0, "one request a register": 49.0}, "demo bus"),
        (("refusal", "ours", "readings_lost_afterwards"), 1, "refused hole"),
        (("dead", 0, "others_period"), 0.051, "dead device of 16"),
        (("dead", 0, "unit_1_of_the_other_bus"), -0.03, "unit 1 of another bus"),
        (("commands", 0, "begun_in_between"), {"p50": 0, "p99": 2, "most": 2}, "command"),
    ],
)
def test_each_promise_can_be_broken(path, to, said):
    (what,) = broken(changed(*path, to=to))
    assert said in what


def window(*starts, unit=2):
    made = [Transaction(unit=unit, request=b"\x03\0\0\0\1", start=at, end=at + 0.1, wire=0.2) for at in starts]
    account = Account()
    account.journal.extend(made)
    return Window(account=account, readings=0, spoilt=0, cpu_s=0.0)


def test_growth_is_that_of_the_periods():
    healthy, during = (window(0, 1, 2, 3), window(20, 23)), window(10, 13, 16)  # periods of 1, 3, and then 3
    assert growth(healthy, during, but=1) == 0.5
    assert growth(healthy, during, only=2) == 0.5
    assert growth(healthy, during, but=2) is None
    assert growth(healthy, window(10), but=1) is None


def test_the_share_is_that_of_the_time_between_the_first_request_and_the_last():
    assert window(0, 1, 2).share == pytest.approx(0.2)
    assert window(0, 1, 2).lost_s == pytest.approx(0.8)


@pytest.mark.parametrize(("part", "drawn"), [(0, ""), (0.5, "██"), (1, "████"), (7, "████"), (1 / 32, "▏"), (-1, "")])
def test_a_bar_is_as_long_as_its_part(part, drawn):
    assert bus_view.bar(part, 4) == drawn


def test_the_tables_hold_the_figures():
    out = io.StringIO()
    bus_view.show({**GOOD, "verdicts": bus.verdicts(changed("dead", 0, "others_period", to=0.06))}, Console(file=out))
    for figure in ("96.0 %", "was busy", "60.00", "+3.0 %", "50.0 ms", "kept", "NOT"):
        assert figure in out.getvalue()


def test_the_picture_draws_the_figures():
    root = ElementTree.fromstring(bus_picture.picture(GOOD))
    bars = [float(each.get("width")) for each in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert bars[:2] == [round(0.96 * bus_picture.BARS, 1), round(0.95 * bus_picture.BARS, 1)]
    assert bus_picture.BARS in bars  # the dearest way
    assert round(bus_picture.BARS / 6, 1) in bars  # ours
    assert max(float(each.get("y")) for each in root.iter("{http://www.w3.org/2000/svg}text")) < float(
        root.get("viewBox").split()[3]
    )


@pytest.mark.parametrize(("growth", "code"), [(0.03, 0), (0.3, 1)])
def test_the_command_says_one_document_and_fails_where_a_promise_is_broken(monkeypatch, growth, code):
    result = changed("dead", 0, "others_period", to=growth)

    def run(*, quick, told):
        told("at it")
        return {**result, "verdicts": bus.verdicts(result)}

    monkeypatch.setattr(bus, "run", run)
    done = CliRunner().invoke(app, ["bench", "bus", "--json"])
    assert done.exit_code == code
    assert json.loads(done.stdout)["dead"][0]["others_period"] == growth
    assert done.stderr == "at it\n"
