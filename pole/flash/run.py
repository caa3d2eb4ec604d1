"""`pole flash`, step by step: each can be repeated, and each says what to do when it fails."""

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from device_profiles import loader
from pole.flash import FlashError, firmware, transfer, writer
from pole.flash.checks import Checks
from pole.flash.contents import GUARD
from pole.flash.firmware import Firmware
from pole.flash.order import Prepared, prepare
from pole.flash.repl import Repl
from pole.flash.sheet import Sheet
from pole.flash.steps import Steps

MARKER = "firmware"  # on the controller: SHA-256 of the file that was written to its chip
QUICK_S = 3.0  # to find out whether a board runs MicroPython already
FIRST_S = 5.0  # a board that was just plugged in starts meanwhile
PLATFORMS = {"esp32": "esp32", "rp2": "rp2", "simulated": "linux"}  # sys.platform


@dataclass(frozen=True)
class Order:
    """The words of the command line."""

    port: str
    board: str
    site: Path
    pole: str
    node: str | None = None
    firmware: Path | None = None
    drive: Path | None = None
    release_key: Path | None = None
    engineer: str = ""
    baud: int = writer.BAUD
    erase: bool = False
    force: bool = False


def flash(order: Order, steps: Steps) -> Sheet:
    """Raises FlashError, and FileProblem where the site file is wrong."""
    with steps.step("site", "reading the site file, compiling the agent") as step:
        prepared = prepare(
            order.site,
            pole=order.pole,
            node=order.node,
            board=order.board,
            release_key=order.release_key,
            compiled=True,
        )
        chip = firmware.read(order.firmware, order.board) if order.firmware else None
        step.said = f"{prepared.node} on {prepared.controller.pole}, {len(prepared.contents.files)} files"
    repl = Repl(port=order.port)
    try:
        facts = {**prepared.facts(), **_board(order, steps, repl, prepared, chip), "engineer": order.engineer}
        _files(order, steps, repl, prepared)
        date = f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S %z}"
        sheet = Sheet({**facts, "date": date, "tool": f"multipole {version('multipole')}"})
        _self_test(steps, repl, prepared, sheet)
        with steps.step("start", "starting the agent") as step:
            repl.start()
            step.said = "the agent runs"
    finally:
        repl.close()
    return sheet


def _board(order: Order, steps: Steps, repl: Repl, prepared: Prepared, chip: Firmware | None) -> dict[str, str]:
    """Firmware, then a board that listens and runs nothing. Facts for the sheet."""
    with steps.step("firmware", "looking at the controller") as step:
        step.said = write_firmware(order, steps, repl, chip) if chip else "not asked for (--firmware)"
        step.state = "done" if step.said.startswith("wrote") else "skipped"
    with steps.step("controller", "stopping what runs on the controller") as step:
        if not repl.is_open:
            _first_answer(order, repl)
        facts = _identity(order, repl)
        _check_owner(order, repl, prepared)
        if order.erase:
            repl.erase()
        repl.remove(GUARD)  # a watchdog that the agent had started would reset it in the middle
        repl.restart()
        step.said = f"{facts['micropython']} on {facts['chip']}, {facts['board_id']}"
    return {**facts, "firmware": f"{chip.path.name} {chip.sha256[:16]}" if chip else "as it was"}


def _first_answer(order: Order, repl: Repl) -> None:
    try:
        repl.open(FIRST_S)
    except FlashError as error:
        if "prompt" in error.reason and order.board in firmware.OFFICIAL:
            raise FlashError(error.reason, f"{error.remedy} {firmware.advice(order.board)}") from None
        raise


def write_firmware(order: Order, steps: Steps, repl: Repl, chip: Firmware) -> str:
    """Unless it is there already. What was done; the prompt is there then. Raises FlashError."""
    with suppress(FlashError):  # a chip without MicroPython does not answer
        repl.open(QUICK_S)
    if repl.is_open and not order.force and _runs(repl, chip):
        return f"MicroPython {chip.version} is there already"
    steps.total(100)
    if order.board == "esp32":
        repl.close()
        words = writer.esptool_words(order.port, chip.path, erase=order.erase, baud=order.baud)
        writer.write_esp32(words, steps.reached)
    else:
        if repl.is_open:
            repl.boot_loader()
        folder, found = writer.wait_for_drive(order.drive)
        writer.copy_uf2(chip, folder, found, steps.reached)
    repl.await_restart()
    repl.write(MARKER, chip.sha256.encode())
    if not _runs(repl, chip):
        raise FlashError(
            f"The controller does not run MicroPython {chip.version} after it was written.",
            "Run again with --force. If it stays so, look whether --port is the board that was written.",
        )
    return f"wrote {chip.path.name}"


def _runs(repl: Repl, chip: Firmware) -> bool:
    major = tuple(int(each) for each in chip.version.split("-")[0].split("."))
    same = tuple(repl.ask("sys.implementation[1][:3]", imports="sys")) == major
    return same and repl.read(MARKER) == chip.sha256.encode()


def _identity(order: Order, repl: Repl) -> dict[str, str]:
    """Raises FlashError when this is not the board that was named, or its MicroPython does not fit."""
    platform, numbers, machine, mpy = repl.ask(
        "(sys.platform, sys.implementation[1][:3], sys.implementation[2], getattr(sys.implementation, '_mpy', 0))",
        imports="sys",
    )
    if platform != PLATFORMS[order.board]:
        raise FlashError(
            f"--board {order.board}: the controller at {order.port} is {platform} ({machine}).",
            "Take the right controller, or name the right --port.",
        )
    shown = ".".join(map(str, numbers))
    if tuple(numbers) < firmware.OLDEST or mpy & 0xFF != 6:
        raise FlashError(
            f"The controller runs MicroPython {shown}, which cannot run this agent.",
            firmware.advice(order.board) if order.board in firmware.OFFICIAL else "Take a newer one.",
        )
    board_id = repl.ask("binascii.hexlify(machine.unique_id()).decode()", imports="machine")
    return {"micropython": f"MicroPython {shown}", "chip": machine, "board_id": board_id}


def _check_owner(order: Order, repl: Repl, prepared: Prepared) -> None:
    """What another node has in its journal must not be sent under this one's name."""
    held = repl.read("config.json")
    if held is None or order.erase:
        return
    try:
        config = json.loads(held)
        owner = f"{config['area']}/{config['node']}"
    except (ValueError, KeyError, TypeError):
        return  # an earlier run broke off here
    if owner != f"{prepared.site.area}/{prepared.node}":
        raise FlashError(
            f"This controller is {owner} already, and may hold readings that are not stored yet.",
            f"Take the controller of {prepared.node}, or run again with --erase to make it this one.",
        )


def _files(order: Order, steps: Steps, repl: Repl, prepared: Prepared) -> None:
    with steps.step("files", "comparing, then copying files") as step:
        wanted = transfer.plan(repl, prepared.contents, force=order.force)
        steps.total(wanted.bytes)
        transfer.carry_out(repl, prepared.contents, wanted, steps.advance)
        transfer.finish(repl, prepared.contents)
        step.said = str(wanted)
        step.state = "done" if wanted.write or wanted.remove else "skipped"


def _self_test(steps: Steps, repl: Repl, prepared: Prepared, sheet: Sheet) -> None:
    with steps.step("self-test", "testing") as step:
        checks = Checks(
            runner=repl, folder="", config=prepared.config, sources=prepared.sources, profiles=loader.profiles(),
            utc_ms=lambda: time.time_ns() // 1_000_000, sets_clock=True,
        )  # fmt: skip
        checks.all(steps, step, sheet)
