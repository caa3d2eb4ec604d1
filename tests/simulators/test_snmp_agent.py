"""net-snmp's own tools ask the emulated agent."""

import asyncio

import pytest

from device_profiles import loader
from protocols import snmp
from simulators.device import EmulatedDevice
from simulators.snmp_agent import SnmpAgent
from tests.parts.snmpd import snmp_tool

V3 = {"user": "gateway", "password": "authentic-secret", "privacy_password": "private-secret"}
AUTH = ["-v3", "-u", "gateway", "-a", "SHA-256", "-A", "authentic-secret"]
PRIVACY = ["-l", "authPriv", "-x", "AES", "-X", "private-secret"]
V2C = ["-v2c", "-c", "public"]


def run(play, **options):
    async def scene():
        device = EmulatedDevice(
            profile=loader.profile("openwrt-ap"), pole="P1", name="ap-1", clock=lambda: 1_795_000_000_000
        )
        async with SnmpAgent(device=device, **options) as agent:
            return await play(agent)

    return asyncio.run(scene())


async def tool(*arguments, check=True):
    return await asyncio.to_thread(lambda: snmp_tool(*arguments, check=check))


@pytest.mark.parametrize(("login", "options"), [(V2C, {}), (AUTH + PRIVACY, V3)], ids=["2c", "3"])
@pytest.mark.parametrize("walk", ["snmpwalk", "snmpbulkwalk"])
def test_a_walk_shows_what_the_device_holds(walk, login, options):
    async def play(agent):
        told = snmp.items(b"", (await tool(walk, *login, agent.address, "1.3.6.1")).encode())
        held = agent.device.raws()
        printed = agent.device.points["clients"].item.name  # by a script, so as text
        assert {name: told[name] for name in held} == held | {printed: str(held[printed])}
        assert len(held) == len(agent.device.profile.points)

    run(play, **options)


def test_types_are_those_of_the_mibs():
    async def play(agent):
        printed = await tool("snmpwalk", *V2C, agent.address, "1.3.6.1")
        assert ".1.3.6.1.2.1.25.1.1.0 = Timeticks: (" in printed
        assert ".1.3.6.1.2.1.31.1.1.1.6.1 = Counter64: " in printed
        assert ".1.3.6.1.2.1.2.2.1.8.1 = INTEGER: 1" in printed
        assert '.1.3.6.1.2.1.31.1.1.1.1.1 = STRING: "eth0"' in printed

    run(play)


def test_what_is_not_there_and_who_is_not_let_in():
    async def play(agent):
        assert "No Such Instance" in await tool("snmpget", *V2C, agent.address, "1.3.6.1.2.1.1.99.0")
        assert "Timeout" in await tool(
            "snmpget", "-v2c", "-c", "no", agent.address, "1.3.6.1.2.1.25.1.1.0", check=False
        )
        agent.faults.error = True
        assert "genError" in await tool("snmpget", *V2C, agent.address, "1.3.6.1.2.1.25.1.1.0", check=False)

    async def play_3(agent):
        for login, words in [
            ([*AUTH[:-1], "another-secret", *PRIVACY], "Authentication failure"),
            ([*AUTH, *PRIVACY[:-1], "another-secret"], "Decryption error"),
            ([*AUTH, "-l", "authNoPriv"], "Unsupported security level"),
            (["-v3", "-u", "nobody", *AUTH[3:], *PRIVACY], "Unknown user name"),
        ]:
            assert words in await tool("snmpget", *login, agent.address, "1.3.6.1.2.1.25.1.1.0", check=False)

    run(play)
    run(play_3, **V3)


def test_faults_and_a_restart_on_the_same_port():
    async def play(agent):
        port = agent.port
        one = ("snmpget", *V2C, agent.address, "1.3.6.1.2.1.25.1.1.0")
        assert "Timeticks" in await tool(*one)
        for fault in ("silent", "garbage", "late"):
            setattr(agent.faults, fault, True)
            assert "Timeout" in await tool(*one, check=False)
            setattr(agent.faults, fault, False)
        await agent.vanish()
        await agent.vanish()
        assert "Timeout" in await tool(*one, check=False)
        await agent.restore()
        await agent.restore()
        assert agent.port == port
        assert "Timeticks" in await tool(*one)

    run(play)
