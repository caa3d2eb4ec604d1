"""Commands to emulated nodes: checked as on a gateway, carried out by the world, answered with what is in force."""

from collections import OrderedDict
from collections.abc import Callable, Mapping

from device_profiles.schema import Command, Profile
from simulators.world.kits import KITS
from wire import messages
from wire.errors import WireError

REMEMBERED = 1000  # ids whose answers are kept: a command that comes twice is done once

# (function, the point that shows it) -> what the world is told
ACTS = {
    ("lighting", "level"): "lamp_level",
    ("screen", "brightness"): "screen_brightness",
    ("screen", "on"): "screen_on",
    ("charging", "max_current"): "charger_current",
    ("charging", "enabled"): "charger_enabled",
}

Act = Callable[[int, str, float], None]


class Commands:
    """act(pole, what, value) is called for each command that may be carried out."""

    def __init__(self, *, profiles: Mapping[str, Profile], act: Act) -> None:
        self._profiles = profiles
        self._act = act
        self._answers: OrderedDict[str, list[bytes]] = OrderedDict()

    def replies(self, payload: bytes, *, index: int, name: str, kit: int, now_ms: int) -> list[bytes]:
        """The payloads of up/reply to a down/command at a pole; none where nothing can be made of it."""
        try:
            command = messages.decode(payload, messages.COMMAND)
        except WireError:
            return []
        identity = str(command["id"])
        if identity not in self._answers:
            self._answers[identity] = self._carried_out(command, index, name, kit, now_ms)
            if len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)
        return self._answers[identity]

    def _carried_out(self, command: dict[str, object], index: int, name: str, kit: int, now_ms: int) -> list[bytes]:
        def reply(state: str, **more: object) -> bytes:
            return messages.encode({"id": command["id"], "state": state, "time": now_ms, **more}, messages.REPLY)

        if int(str(command["expires"])) < now_ms:
            return [reply("expired")]
        found = self._found(command, name, kit)
        if isinstance(found, str):
            return [reply("rejected", reason=found)]
        what, point, value = found
        self._act(index, what, float(value))
        return [reply("accepted"), reply("done", read_back={point: value})]

    def _found(self, command: dict[str, object], name: str, kit: int) -> tuple[str, str, float | bool] | str:
        """What the world is told, the point that shows it, the value; or why not."""
        profile = dict(KITS[kit].devices).get(str(command["device"]))
        if command["pole"] != name or profile is None:
            return f"there is no device {command['pole']}/{command['device']} at this node"
        described = self._profiles[profile]
        wanted = described.commands.get(str(command["action"]))
        if wanted is None or wanted.read_back is None:
            return f"{profile} has the actions {', '.join(sorted(described.commands)) or 'none'}"
        function = described.points[wanted.read_back].function or described.function
        what = ACTS.get((function, wanted.read_back))
        if what is None:
            return f"{command['action']} is not emulated"
        value = _argument(wanted, command["args"])
        return value if isinstance(value, str) else (what, wanted.read_back, value)


def _argument(wanted: Command, told: object) -> float | bool | str:
    """The value that the read-back will show; a text: what is wrong with the arguments."""
    assert isinstance(told, dict)
    if set(told) != set(wanted.args):
        return f"the arguments are {', '.join(wanted.args) or 'none'}"
    for name, allowed in wanted.args.items():
        value = told[name]
        if allowed.range is None or isinstance(value, str):
            return f"{name} is not emulated"
        if not allowed.range[0] <= value <= allowed.range[1]:
            return f"{name} is {value}; it lies between {allowed.range[0]:g} and {allowed.range[1]:g}"
        if wanted.expect is None:
            return float(value)
    if isinstance(wanted.expect, str) or wanted.expect is None:
        return "it is not emulated"
    return wanted.expect
