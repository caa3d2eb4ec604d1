"""Our asker and Debian's snmpd: version 2c, and version 3 authenticated and encrypted."""

import asyncio
import time

import pytest

from gateway.asked.snmp_asker import MOST_ITEMS, SnmpAsker
from protocols import snmp
from protocols.errors import LineDown, Refused, Timeout
from tests.parts.snmpd import COMMUNITY, PASSWORD, PRIVACY, USER, Snmpd, snmp_tool

UPTIME, NAME, NO_OBJECT = "1.3.6.1.2.1.1.3.0", "1.3.6.1.2.1.1.5.0", "1.3.6.1.2.1.1.99.0"
NO_ROW = "1.3.6.1.2.1.2.2.1.8.9999"
OCTETS, STATE, MTU = "1.3.6.1.2.1.31.1.1.1.6", "1.3.6.1.2.1.2.2.1.8", "1.3.6.1.2.1.2.2.1.4"
V2C = {"community": COMMUNITY}
V3 = {"version": "3", "user": USER, "password": PASSWORD, "privacy_password": PRIVACY}


@pytest.fixture(scope="module")
def snmpd(tmp_path_factory):
    agent = Snmpd(folder=tmp_path_factory.mktemp("snmpd"))
    agent.start()
    yield agent
    agent.kill()


def ask(agent, items, **login):
    async def scene():
        asker = SnmpAsker(**login)
        try:
            return await asker.ask(agent.address, items)
        finally:
            await asker.close()

    return asyncio.run(scene())


@pytest.mark.parametrize("login", [V2C, V3], ids=["2c", "3"])
def test_values_are_those_that_snmpget_prints(snmpd, login):
    items = [
        NAME, "1.3.6.1.2.1.1.2.0", "1.3.6.1.2.1.1.6.0", "1.3.6.1.2.1.25.1.4.0", f"{STATE}.1", f"{MTU}.1",
        "1.3.6.1.2.1.2.2.1.5.1", "1.3.6.1.2.1.4.20.1.1.127.0.0.1", "1.3.6.1.2.1.2.2.1.6.1", "1.3.6.1.2.1.25.2.2.0",
    ]  # fmt: skip
    answer = ask(snmpd, items, **login)
    printed = snmp.items(b"", snmpd.get(*items).encode())
    assert answer == {item: printed[item] for item in items}
    assert answer[NAME] == "P0001-ap"


@pytest.mark.parametrize("login", [V2C, V3], ids=["2c", "3"])
def test_counters_and_ticks_lie_between_two_that_snmpget_prints(snmpd, login):
    items = [UPTIME, f"{OCTETS}.1", "1.3.6.1.2.1.25.1.1.0"]
    before = snmp.items(b"", snmpd.get(*items).encode())
    answer = ask(snmpd, items, **login)
    after = snmp.items(b"", snmpd.get(*items).encode())
    assert all(before[item] <= answer[item] <= after[item] for item in items)
    assert answer[UPTIME] > 0


@pytest.mark.parametrize("login", [V2C, V3], ids=["2c", "3"])
def test_what_the_device_does_not_have_takes_nothing_else_with_it(snmpd, login):
    answer = ask(snmpd, [NO_OBJECT, NAME, NO_ROW], **login)
    assert answer[NAME] == "P0001-ap"
    for item in (NO_OBJECT, NO_ROW):
        assert isinstance(answer[item], Refused)
        assert answer[item].quality == "disabled"


def test_more_items_than_one_request_holds(snmpd):
    items = [f"1.3.6.1.2.1.1.9.1.3.{index}" for index in range(1, 10)] + [f"1.3.6.1.2.1.11.{n}.0" for n in range(1, 31)]
    assert len(items) > MOST_ITEMS
    answer = ask(snmpd, items, **V2C)
    assert set(answer) == set(items)
    assert "SNMP" in answer["1.3.6.1.2.1.1.9.1.3.1"]


def test_an_interface_is_found_by_its_name(snmpd):
    number = next(
        oid.rpartition(".")[2]
        for oid, name in snmp.items(b"", walk(snmpd, snmp.IF_NAME).encode()).items()
        if name == "lo" and not oid.endswith("]")
    )
    answer = ask(snmpd, [f"{MTU}.[lo]", f"{STATE}.[lo]=1", f"{MTU}.{number}", f"{MTU}.[wlan7]"], **V2C)
    assert answer[f"{MTU}.[lo]"] == answer[f"{MTU}.{number}"] == 65536
    assert answer[f"{STATE}.[lo]=1"] is True
    assert "wlan7" in str(answer[f"{MTU}.[wlan7]"])
    assert "lo" in str(answer[f"{MTU}.[wlan7]"])  # it says which there are


def test_a_column_is_added_up(snmpd):
    printed = snmp.items(b"", walk(snmpd, MTU).encode())
    answer = ask(snmpd, [f"{MTU}.*", "1.3.6.1.4.1.99999.1.*", NAME], **V2C)
    assert answer[f"{MTU}.*"] == printed[f"{MTU}.*"] >= 65536
    assert isinstance(answer["1.3.6.1.4.1.99999.1.*"], Refused)
    assert answer[NAME] == "P0001-ap"


def test_a_column_longer_than_one_answer_is_read_to_its_end(snmpd):
    printed = snmp.items(b"", walk(snmpd, "1.3.6.1.2.1.1.9.1.4").encode())
    rows = [oid for oid in printed if oid[-1].isdigit()]
    assert len(rows) > 5
    answer = ask(snmpd, ["1.3.6.1.2.1.1.9.1.4.*"], **V2C)
    assert answer["1.3.6.1.2.1.1.9.1.4.*"] == printed["1.3.6.1.2.1.1.9.1.4.*"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"password": "not-the-secret"}, "check user, password_file"),
        ({"auth": "sha1"}, "auth"),
        ({"user": "nobody"}, "check user"),
        ({"privacy_password": None}, "privacy_file"),
        ({"password": "short"}, "at least 8 characters"),
        ({"user": None}, "wants a user"),
    ],
)
def test_a_login_that_is_refused_says_what_to_check(snmpd, change, words):
    with pytest.raises(Refused, match=words):
        ask(snmpd, [NAME], **V3 | change)


@pytest.mark.parametrize(
    ("login", "words"),
    [({"community": "wrong"}, "community_file"), (V3 | {"privacy_password": "wrong-one"}, "privacy_file")],
)
def test_where_a_wrong_secret_gets_no_answer_the_error_says_so(snmpd, login, words):
    began = time.monotonic()
    with pytest.raises(Timeout, match=words):
        ask(snmpd, [NAME], **login, wait=0.5, tries=2)
    assert time.monotonic() - began < 20


def test_a_device_that_answered_before_and_starts_anew_is_found_again(tmp_path):
    async def scene():
        asker = SnmpAsker(**V3, wait=0.5, tries=2)
        agent.start()
        assert (await asker.ask(agent.address, [NAME]))[NAME] == "P0001-ap"
        agent.kill()
        with pytest.raises(Timeout, match=r"^no answer$"):
            await asker.ask(agent.address, [NAME])
        await asyncio.to_thread(agent.start)  # the same identity, started once more
        assert (await asker.ask(agent.address, [NAME]))[NAME] == "P0001-ap"
        agent.kill()
        agent.identity = "another"  # as when the device was exchanged for a new one
        await asyncio.to_thread(agent.start)
        assert (await asker.ask(agent.address, [NAME]))[NAME] == "P0001-ap"
        await asker.close()

    agent = Snmpd(folder=tmp_path / "snmpd", identity="first")
    try:
        asyncio.run(scene())
    finally:
        agent.kill()


def test_many_may_be_asked_at_once_and_one_dead_device_delays_nobody(snmpd):
    async def scene():
        asker = SnmpAsker(**V2C, wait=2.0, tries=2)
        dead = asyncio.create_task(asker.ask("127.0.0.1:9", [NAME]))
        answers = await asyncio.gather(*(asker.ask(snmpd.address, [NAME, UPTIME]) for _ in range(20)))
        assert not dead.done()
        assert all(answer[NAME] == "P0001-ap" for answer in answers)
        with pytest.raises(Timeout):
            await dead
        await asker.close()

    asyncio.run(scene())


def test_a_name_without_an_address():
    async def scene():
        asker = SnmpAsker()
        with pytest.raises(LineDown, match=r"no-such-host\.invalid"):
            await asker.ask("no-such-host.invalid", [NAME])
        with pytest.raises(Refused):
            await asker.tell("127.0.0.1", NAME, 1)
        await asker.close()

    asyncio.run(scene())


def walk(agent, oid):
    return snmp_tool("snmpwalk", "-v2c", "-c", COMMUNITY, agent.address, oid)
