"""Reconciliation: what is lost is told, and nothing else is called lost."""

import json

import pytest

from ingest.ledger import compare, gaps, missing
from ingest.rows import Packs
from tests.ingest.fakes import EPOCH, Node, Service, readings, status

KEY = ("wuhou", "gw-1")


def packs(*ranges, epoch=EPOCH, stored=0):
    return Packs("wuhou", "gw-1", epoch, [list(pair) for pair in ranges], stored, 0, 0)


def one(told, *ledger):
    (account,) = compare({KEY: told}, ledger)
    return account


def test_all_stored_is_complete():
    account = one(status(head=10, stored=10, readings=30), packs((1, 10), stored=30))
    assert (account.produced, account.stored, account.lost, account.gaps, account.verdict) == (
        10,
        10,
        0,
        [],
        "complete",
    )
    assert (account.readings_produced, account.readings_stored) == (30, 30)


@pytest.mark.parametrize(
    ("told", "lost", "verdict"),
    [
        ({"stored": 8}, 2, "LOST 2"),
        ({"stored": 7, "pending": 1}, 1, "LOST 1"),
        ({"stored": 6, "pending": 2}, 0, "under way"),
        ({"stored": 6, "dropped": {"full": 2}}, 0, "dropped by the node"),
        ({"stored": 6, "dropped": {"full": 1}, "pending": 1}, 0, "dropped by the node"),
    ],
)
def test_what_is_neither_stored_nor_pending_nor_dropped_is_lost(told, lost, verdict):
    account = one(status(head=10, **told), packs((1, 3), (6, 10)))
    assert (account.lost, account.verdict, account.gaps) == (lost, verdict, [[4, 5]])


def test_a_node_whose_packs_never_came_has_lost_them_all():
    assert one(status(head=10, stored=10)).lost == 10


def test_the_ledger_may_be_ahead_of_an_offline_node():
    account = one(status(head=5, stored=3, pending=2, online=False), packs((1, 9)))
    assert (account.lost, account.stored) == (0, 9)
    assert account.verdict == "complete (offline: the node's numbers are those of its last connection)"


def test_an_earlier_epoch_is_told_apart():
    former, current = compare({KEY: status(head=2, stored=2)}, [packs((1, 2)), packs((1, 3), (5, 7), epoch="00000001")])
    assert (former.epoch, former.online, former.lost, former.gaps) == ("00000001", None, 0, [[4, 4]])
    assert former.verdict.startswith("an earlier spool of this node")
    assert current.verdict == "complete"


def test_a_node_without_status_is_named():
    (account,) = compare({}, [packs((1, 2))])
    assert account.verdict.startswith("the node has sent no status")


@pytest.mark.parametrize(
    ("ranges", "head", "expected"),
    [
        ([], 0, []),
        ([], 3, [[1, 3]]),
        ([[1, 3]], 3, []),
        ([[2, 2], [4, 9]], 6, [[1, 1], [3, 3]]),
        ([[1, 2], [8, 9]], 6, [[3, 6]]),
    ],
)
def test_gaps_are_the_numbers_that_no_range_has(ranges, head, expected):
    assert gaps(ranges, head) == expected
    present = {number for first, last in ranges for number in range(first, last + 1)}
    assert missing(ranges, head) == len(set(range(1, head + 1)) - present)


@pytest.mark.parametrize("store", ["sqlite", "influx1"])
def test_the_command_finds_a_pack_that_nobody_stored(broker, request, tmp_path, store):
    url = "sqlite:readings.db" if store == "sqlite" else request.getfixturevalue("influx1").store
    node = Node(broker)
    with Service(tmp_path / "ingest", broker, store=url) as service:
        node.birth()
        for number in (1, 2, 4):
            node.pack(readings(number), number=number)
        node.wait_confirmed()
        node.status(head=3, stored=3, readings=9)
        wrong = service.pole("reconcile", "--config", str(service.config), "--json")
        node.pack(readings(3), number=3)
        node.wait_confirmed()
        node.status(head=4, stored=4, readings=12)
        right = service.pole("reconcile", "--config", str(service.config), "--json")
        plain = service.pole("reconcile", "--config", str(service.config))
    node.close()
    assert wrong.returncode == 1, wrong.stderr
    account = json.loads(wrong.stdout)["nodes"][0]
    assert (account["lost"], account["gaps"], account["ranges"]) == (1, [[3, 3]], [[1, 2], [4, 4]])
    assert right.returncode == 0, right.stderr
    account = json.loads(right.stdout)["nodes"][0]
    assert (account["lost"], account["readings_produced"], account["readings_stored"]) == (0, 12, 12)
    assert "wuhou/gw-1" in plain.stdout
    assert "complete" in plain.stdout


def test_the_command_works_as_another_user_and_names_a_broker_that_is_away(broker, tmp_path):
    secret = tmp_path / "operator.password"
    secret.write_text(broker.passwords["operator"])
    service = Service(tmp_path / "ingest", broker)
    with service:
        as_operator = ("--broker", broker.url("operator"), "--password-file", str(secret))
        answer = service.pole("reconcile", "--config", str(service.config), *as_operator)
        assert (answer.returncode, answer.stdout) == (0, "No node has sent a status, and the ledger is empty.\n")
    broker.kill()
    answer = service.pole("reconcile", "--config", str(service.config))
    assert answer.returncode == 2
    assert f"broker 127.0.0.1:{broker.port}: cannot connect" in answer.stderr
