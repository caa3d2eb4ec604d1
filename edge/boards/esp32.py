"""ESP32 and its kin under MicroPython 1.25 and newer."""

import machine
from machine import Pin

from edge.boards import chip


class Board(chip.Board):
    name = "esp32"
    WATCHDOG_MS = 30_000  # a TLS handshake holds everything up for seconds

    def __init__(self, config: dict, folder: str) -> None:
        super().__init__(config, folder)
        # RTC memory outlives every reset but the loss of power; what is in it when we start:
        # nothing: power came. "run": we were running. "end": we asked for the reset
        rtc = machine.RTC()
        mark = rtc.memory()
        rtc.memory(b"run")
        cause = machine.reset_cause()
        self._cause = "unknown"  # a crash of the firmware, or somebody at the REPL
        if cause == machine.WDT_RESET:
            self._cause = "watchdog"
        elif cause == machine.PWRON_RESET:  # MicroPython says the same of a brownout
            self._cause = "brownout" if mark == b"run" else "power"
        elif mark == b"end" or cause == machine.SOFT_RESET:
            self._cause = "software"

    def adc(self, name: str):
        adc = machine.ADC(Pin(self._config["adcs"][name]["pin"]))
        adc.atten(machine.ADC.ATTN_11DB)
        return adc.read_uv

    def reset(self) -> None:
        machine.RTC().memory(b"end")
        machine.reset()

    def reset_cause(self) -> str:
        return self._cause

    def _interface(self, config: dict):  # pyright: ignore[reportIncompatibleMethodOverride]
        if config["kind"] != "ethernet":
            return super()._interface(config)
        import network

        pins = {}
        for key in ("mdc", "mdio", "power", "reset", "ref_clk"):
            if key in config:
                pins[key] = Pin(config[key])
        if config.get("ref_clk_out"):
            pins["ref_clk_mode"] = Pin.OUT
        phy = getattr(network, "PHY_" + config.get("phy", "LAN8720"))
        # the stub knows another port's parameters; these are of ports/esp32/network_lan.c
        return network.LAN(phy_type=phy, phy_addr=config.get("phy_addr", 0), **pins)  # pyright: ignore[reportCallIssue]
