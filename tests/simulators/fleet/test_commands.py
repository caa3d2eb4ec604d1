"""Commands to emulated nodes: what is carried out is felt in the world, what may not be is refused with its reason."""

import itertools
import json

import numpy as np
import pytest

from device_profiles import loader
from simulators import scenario
from simulators.fleet.commands import Commands
from simulators.world.city_map import city_map
from simulators.world.kits import KITS
from simulators.world.world import World
from wire import messages

NOW_MS = 1_790_000_000_000
IDS = itertools.count(1)
SCREEN = next(number for number, kit in enumerate(KITS) if kit.device("screen"))


@pytest.fixture(scope="module")
def profiles():
    return loader.profiles()


def told(commands, *, device="lamp-1", action="set_level", args=None, pole="P00007", expires=NOW_MS + 1000, id=None):
    body = {
        "id": id or f"c{next(IDS)}", "issued": NOW_MS - 1000, "expires": expires, "issuer": "operator", "pole": pole,
        "device": device, "action": action, "args": {"level": 40} if args is None else args,
    }  # fmt: skip
    replies = commands.replies(
        messages.encode(body, messages.COMMAND), index=6, name="P00007", kit=SCREEN, now_ms=NOW_MS
    )
    return [messages.decode(reply, messages.REPLY) for reply in replies]


def test_a_lamp_that_is_dimmed_says_so_and_a_command_that_comes_twice_is_done_once(profiles):
    acts = []
    commands = Commands(profiles=profiles, act=lambda *act: acts.append(act))
    accepted, done = told(commands, id="twice")
    assert (accepted["state"], done["state"], done["read_back"]) == ("accepted", "done", {"level": 40.0})
    assert told(commands, id="twice") == [accepted, done]
    assert acts == [(6, "lamp_level", 40.0)]


@pytest.mark.parametrize(
    ("changed", "state", "words"),
    [
        ({"expires": NOW_MS - 1}, "expired", ""),
        ({"pole": "P00008"}, "rejected", "no device P00008/lamp-1 at this node"),
        ({"device": "lamp-9"}, "rejected", "no device P00007/lamp-9"),
        ({"action": "explode"}, "rejected", "arlight-dali has the actions set_level"),
        ({"args": {"level": 101}}, "rejected", "level is 101; it lies between 0 and 100"),
        ({"args": {}}, "rejected", "the arguments are level"),
        ({"device": "meter-1", "action": "set_alarm_power", "args": {"power": 50}}, "rejected", "not emulated"),
        ({"device": "screen-1", "action": "set_text", "args": {"text": "hello"}}, "rejected", "text is not emulated"),
    ],
)
def test_what_may_not_be_is_refused_and_nothing_happens(profiles, changed, state, words):
    acts = []
    (reply,) = told(Commands(profiles=profiles, act=lambda *act: acts.append(act)), **changed)
    assert reply["state"] == state
    assert words in reply.get("reason", "")
    assert acts == []


def test_what_is_no_command_gets_no_answer(profiles):
    commands = Commands(profiles=profiles, act=lambda *_: pytest.fail("nothing was to be done"))
    for body in (b"", b"{}", json.dumps({"id": "x"}).encode()):
        assert commands.replies(body, index=6, name="P00007", kit=SCREEN, now_ms=NOW_MS) == []


def test_every_act_is_one_that_the_world_knows_and_feels(profiles):
    found = scenario.load("quiet-day")
    city = city_map(seed=found.seed, poles=300)
    world = World(seed=found.seed, city=city, causes=found.causes, start=found.start)
    commands = Commands(profiles=profiles, act=world.act)
    asked = (
        ("lamp", "set_level", {"level": 25}, "lamp_level", 25),
        ("screen", "switch", {"on": 1}, "screen_on", 1),
        ("screen", "set_brightness", {"brightness": 30}, "screen_brightness", 30),
        ("screen", "switch", {"on": 0}, "screen_on", 0),
        ("charger", "set_current", {"current": 8}, "ev_limit", 8),
    )
    for device, action, args, quantity, value in asked:
        pole = next(index for index in range(300) if KITS[city.kit[index]].device(device))
        body = {
            "id": f"c{next(IDS)}", "issued": NOW_MS, "expires": NOW_MS + 1, "issuer": "operator",
            "pole": city.names[pole], "device": f"{device}-1", "action": action, "args": args,
        }  # fmt: skip
        replies = commands.replies(
            json.dumps(body).encode(), index=pole, name=city.names[pole], kit=int(city.kit[pole]), now_ms=NOW_MS
        )
        assert [json.loads(reply)["state"] for reply in replies] == ["accepted", "done"], replies
        world.advance()
        assert world.quantity(quantity, np.array([pole]))[0] == value
