"""A controller behind a pseudo-terminal, its site file, its bus and its broker; and the command that flashes it."""

import json
import os

from typer.testing import CliRunner

from pole.command import app
from tests.parts import buses
from tests.parts.boards import Board

SITE = """
area: wuhou
controllers:
  ctl-17:
    board: {board}
    pole: P0017
    broker: mqtt://127.0.0.1:{port}
    password_file: ctl-17.password
    journal_kilobytes: 64
    {net}
    uarts: {{rs485: {{port: {bus}}}}}
    pins: {{cover: {{pin: {pin}}}}}
    i2cs: {{chips: {i2c}}}
  ctl-18: {{board: {board}, pole: P0018, broker: "mqtt://127.0.0.1:{port}", {net}}}
poles:
  P0017: {{position: [30.641, 104.043]}}
  P0018: {{position: [30.642, 104.043]}}
buses:
  ctl-17-rs485: {{controller: ctl-17, uart: rs485}}
  ctl-17-pins: {{protocol: wired, controller: ctl-17}}
devices:
  - {{pole: P0017, device: meter-1, profile: sdm120, bus: ctl-17-rs485, unit: 1}}
  - {{pole: P0017, device: air-1, profile: xy-md03, bus: ctl-17-rs485, unit: 5}}
  - {{pole: P0017, device: cover-1, profile: cover-contact, bus: ctl-17-pins, pin: cover}}
  - {{pole: P0017, device: air-2, profile: sht31, bus: ctl-17-pins, i2c: chips}}
"""
WIFI = "wifi: {ssid: poles, password_file: wifi.password}"
HARDWARE = {
    "simulated": {"bus": "/dev/no-bus", "pin": "cover", "i2c": "{}", "net": ""},
    "esp32": {"bus": "1, tx: 17, rx: 16", "pin": "32, pull: up", "i2c": "{sda: 21, scl: 22}", "net": WIFI},
    "rp2": {"bus": "0, tx: 0, rx: 1", "pin": "15", "i2c": "{port: 1, sda: 2, scl: 3}", "net": WIFI},
    "linux": {"bus": "/dev/ttyS1", "pin": "GPIO17", "i2c": "{port: /dev/i2c-1}", "net": ""},
}
# SHT3x-DIS, table 20: 0xBEEF with its checksum, twice; 85.5 Cel and 74.6 %RH
CHIP = "beef92beef92"


class Rig:
    """folder holds site.yaml, the password, the board's flash, and the sheets."""

    def __init__(self, *, folder, port=1, password="ctl-17-secret", board="simulated", **hardware):
        self.folder = folder
        self.site = folder / "site.yaml"
        self.sheets = folder / "sheets"
        self.site.write_text(SITE.format(board=board, port=port, **{**HARDWARE[board], **hardware}))
        (folder / "ctl-17.password").write_text(password + "\n")
        (folder / "wifi.password").write_text("wifi-secret\n")

    def words(self, *words):
        return [str(word) for word in (*words, "--site", self.site, "--sheets", self.sheets)]

    def flash_words(self, port, *words, board="simulated", pole="P0017"):
        return self.words("flash", "--port", port, "--board", board, "--pole", pole, *words)

    def run(self, words):
        """Exit code, the JSON document, what was shown meanwhile."""
        run = CliRunner().invoke(app, [*words, "--json"])
        assert run.exception is None or isinstance(run.exception, SystemExit), run.exc_info
        return run.exit_code, json.loads(run.stdout) if run.stdout else {}, run.stderr

    def flash(self, port, *words, **named):
        return self.run(self.flash_words(port, *words, **named))


def bus(folder, *units):
    """An emulated RS-485 bus with some of the site's units; its file under the name that a board can open."""
    profiles = {1: "sdm120", 5: "xy-md03"}
    return buses.running(
        buses.rtu_port(folder / "bus", *(buses.device(profiles[unit], unit) for unit in units))
    ), lambda: os.path.realpath(folder / "bus")


def failed(document):
    """(name, of what) of each check that failed."""
    return [(check["name"], check["what"]) for check in document["checks"] if check["state"] == "failed"]


__all__ = ["CHIP", "Board", "Rig", "bus", "failed"]
