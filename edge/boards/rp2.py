"""RP2040 and RP2350 (Pico W, Pico 2 W) under MicroPython 1.25 and newer."""

import sys

import machine

from edge.boards import chip

# Both kinds of reset go through the watchdog, so that MicroPython says WDT_RESET of both. The SDK leaves in scratch
# register 4 which it was: this for a watchdog that was not fed, 0 for a reset that was asked for
# (pico-sdk 2.1, hardware_watchdog/watchdog.c; addresses: RP2040 data sheet 4.7.6, RP2350 data sheet 12.9.7).
_STARVED = 0x6AB73121
SCRATCH_4 = 0x400D801C if "RP2350" in sys.implementation._machine else 0x4005801C


class Board(chip.Board):
    name = "rp2"
    WATCHDOG_MS = 8300  # RP2040 counts to 8388 ms

    def __init__(self, config: dict, folder: str) -> None:
        super().__init__(config, folder)
        self._cause = "power"  # or the RUN pin
        if machine.reset_cause() == machine.WDT_RESET:
            # read before watchdog() writes there
            self._cause = "watchdog" if machine.mem32[SCRATCH_4] & 0xFFFFFFFF == _STARVED else "software"

    def adc(self, name: str):
        adc = machine.ADC(machine.Pin(self._config["adcs"][name]["pin"]))
        return lambda: adc.read_u16() * 3_300_000 // 65535

    def reset(self) -> None:
        machine.reset()

    def reset_cause(self) -> str:
        return self._cause
