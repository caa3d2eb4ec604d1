"""Commands: payloads of down/command IN, writes to devices and replies OUT. A guest: it is in memory for one at a time.

A command is done at most once: what became of the last _KEPT is on the disk, `started` before a device is touched. What
the site allows stands in commands.jsonl, a line for each action of each device:

[device, action, argument, write, back]
    device     "pole/device"
    argument   null, or [name, low, high, decimals], counted in 10^-decimals; [name, 0, 1, 0] also takes true and false
    write      ["lamp"]: the controller's own, by its action; or [bus, unit, function, address, words, low first,
               multiply, divide, add, mask, wait ms, raw]: the number to write is (value - add) * divide /
               multiply, half away from zero, where value is the argument counted in 10^-decimals; raw where there is no
               argument. mask: the bits of a register that are written, 0 for all
    back       null, or [point, tolerance, decimals, settle ms, expected]: what the device shows when it is done;
               expected: null for the argument, true, false, or a number counted in 10^-decimals
"""

import asyncio
import json

from edge import disk
from edge.guest import guest
from wire import messages
from wire.errors import MessageError
from wire.names import is_name

_KEPT = 16
_LIFETIME_MS = 86_400_000
_AHEAD_MS = 60_000  # how far the issuer's clock may be ahead of ours
_LOOKS = 4  # a lamp that fades needs a moment


async def run(agent, body: bytes) -> None:
    """body: a payload, or nothing to tell what a reset broke off. Its replies are in agent.replies when it returns."""
    path = agent.board.folder + "/commands"
    kept = json.loads(disk.load(path) or b"[]")  # [id, expires, reply]
    if not body:
        _settle(agent, path, kept)
        return
    now = agent.clock.now() or 0
    try:
        command = messages.decode(body, messages.COMMAND)
    except MessageError as error:
        _malformed(agent, body, now, str(error))
        return
    name, expires = command["id"], command["expires"]

    def reply(state: str, reason: str = "", read_back=None) -> dict:
        answer = {"id": name, "state": state, "time": agent.clock.now() or 0}
        if reason:
            answer["reason"] = reason[:250]
        if read_back:
            answer["read_back"] = read_back
        agent.replies.append(json.dumps(answer).encode())
        return answer

    for entry in kept:
        if entry[0] == name:
            known = entry[2]
            reply(known["state"], "repeated: nothing was done again " + known.get("reason", ""), known.get("read_back"))
            return
    kept = [entry for entry in kept if entry[1] >= now]
    line, why = _allowed(agent, command, now)
    if not why and len(kept) >= _KEPT:
        why = "the controller remembers %d commands; try again later" % _KEPT
    if why:
        reply("rejected", why)
        return
    if now > expires:  # type: ignore[operator]
        reply("expired", "it came after its time: nothing was done")
        return
    entry = [name, expires, {"state": "failed", "reason": "interrupted: nobody knows whether the device obeyed"}]
    kept.append(entry)
    try:
        disk.save(path, json.dumps(kept).encode())
    except OSError as error:
        reply("failed", "nothing was done: the command cannot be remembered: %s" % error)
        return
    reply("accepted")
    try:
        entry[2] = reply(*await _do(agent, line, command))
    except OSError as error:
        entry[2] = reply("failed", str(error))
    try:
        disk.save(path, json.dumps(kept).encode())
    except OSError:  # it stays interrupted there, which is enough to do nothing twice
        pass


def _settle(agent, path: str, kept: list) -> None:
    for entry in kept:
        if entry[2].get("reason", "")[:11] == "interrupted" and "id" not in entry[2]:
            answer = {"id": entry[0], "time": agent.clock.now() or 0}
            answer.update(entry[2])
            entry[2] = answer
            agent.replies.append(json.dumps(answer).encode())
            disk.save(path, json.dumps(kept).encode())


def _malformed(agent, body: bytes, now: int, why: str) -> None:
    try:
        name = messages.decode(body, {"id": "name"})["id"]
    except MessageError:
        return
    if is_name(name):
        answer = {"id": name, "state": "rejected", "time": now, "reason": why[:250]}
        agent.replies.append(json.dumps(answer).encode())


def _allowed(agent, command: dict, now: int):
    """-> (line, reason): the line of commands.jsonl with the argument's value behind it, or why it is refused."""
    issued, expires = command["issued"], command["expires"]
    if not now:
        return None, "the controller does not know the time yet, so not whether this is in time"
    if not 0 < expires - issued <= _LIFETIME_MS:
        return None, "expires is after issued, by a day at most"
    if issued > now + _AHEAD_MS:
        return None, "issued lies in the future: compare the clocks of the issuer and of this controller"
    device = command["pole"] + "/" + command["device"]
    actions = []
    line = None
    with open(agent.board.folder + "/commands.jsonl") as file:
        for text in file:
            if text.startswith('["%s"' % device):
                actions.append(text.split('"')[3])
                if actions[-1] == command["action"]:
                    line = json.loads(text)
    if line is None:
        return None, "no such device or action here; %s has: %s" % (device, ", ".join(actions) or "none")
    argument, args = line[2], command["args"]
    if list(args) != ([argument[0]] if argument else []):
        return None, "the arguments are exactly %s" % (argument[0] if argument else "none")
    if argument:
        value = args[argument[0]]
        if isinstance(value, str) or (isinstance(value, bool) and argument[1:] != [0, 1, 0]):
            return None, "%s is a number" % argument[0]
        line.append(round(value * 10 ** argument[3]))
        if not argument[1] <= line[5] <= argument[2]:
            low, high = argument[1] / 10 ** argument[3], argument[2] / 10 ** argument[3]
            return None, "%s is from %s to %s, not %s" % (argument[0], low, high, value)
    return line, None


async def _do(agent, line: list, command: dict):
    """-> (state, reason, …) of the last reply. Raises OSError where the device cannot be reached."""
    device, action, _, where, back = line[:5]
    wanted = line[5] if len(line) > 5 else None
    if where[0] == "lamp":
        level = {"on": 100, "off": 0, "auto": -1}.get(action, wanted)
        agent.lamp.override(level)
        await agent.lamp.show(agent.lamp.wanted())
        shown = {"level": agent.lamp.level, "on": agent.lamp.level > 0}
        return ("done", "", back and {back[0]: shown[back[0]]})
    await write(agent, where, wanted)
    if back is None:
        return ("done", "", None)
    return await _look(agent.pollers[where[0]], device, back, wanted)


async def write(agent, where: list, wanted) -> None:
    """where: `write` of commands.jsonl. Raises OSError where the device does not take it."""
    poller = agent.pollers[where[0]]
    words = _words(where, wanted)
    why = await guest("edge.access", "write", poller, where[1], where[2], where[3], words, where[9], where[10])
    if why:
        raise OSError("the device answered with %s" % why)


def _words(write: list, wanted) -> tuple:
    count, low_first, multiply, divide, add = write[4:9]
    raw = write[11]
    if wanted is not None:
        number = (wanted - add) * divide
        raw = (2 * abs(number) + multiply) // (2 * multiply)
        if number < 0:
            raw = -raw
    words = [raw >> 16 * at & 0xFFFF for at in range(count)]
    return tuple(words if low_first else reversed(words))


async def _look(poller, device: str, back: list, wanted):
    point, tolerance, decimals, settle, expected = back
    if expected is None:
        expected = wanted
    value = None
    for _ in range(_LOOKS):
        await asyncio.sleep(settle / 1000)
        field = await guest("edge.access", "read", poller, device, point)
        kind, _, text = field.partition(":")
        if kind == '"q"':
            why = "written, but not read back: %s" % text
            continue
        value = json.loads(text)
        if kind == '"vb"':
            agrees = value == bool(expected)
        else:
            agrees = abs(_scaled(text, decimals) - expected) <= tolerance
        if agrees:
            return ("done", "", {point: value})
        why = "written, but %s reads %s" % (point, text)
    return ("failed", why, value is not None and {point: value})


def _scaled(text: str, decimals: int) -> int:
    """'-62.5' -> -625 with one decimal."""
    whole, _, rest = text.partition(".")
    return int(whole + (rest + "0" * decimals)[:decimals])
