"""What chips have and the unix port has not: `machine`, `network` and the clock, with a log of what was done to them.

Pyright holds the boards to the real signatures (edge/boards/pyright-*.json); here it counts what they do with them.
"""

import asyncio  # noqa: F401  (before the clock is another one)
import sys
import time as _time


class Chip:
    """epoch: 2000 (ESP32) or 1970 (RP2). utc_s: what its RTC says."""

    def __init__(self, epoch, utc_s, cause=1, memory=b"", scratch=0, joins=2):
        self.log = []
        self.epoch_s = 946_684_800 if epoch == 2000 else 0
        self.ticks = 5000
        self.utc_s, self.cause, self.memory, self.scratch, self.joins = utc_s, cause, memory, scratch, joins
        self.pins, self.heard, self.uart, self.microvolts = {}, b"", None, 0
        self.wlan = None

    def load(self, board):
        """The board's class, on this chip."""
        for name in ("edge.boards", "edge.boards.chip", "edge.boards.esp32", "edge.boards.rp2"):
            sys.modules.pop(name, None)
        chip = self
        sys.modules["machine"] = machine_of(chip)
        sys.modules["network"] = network_of(chip)
        sys.modules["time"] = Time(chip)
        try:
            return __import__("edge.boards." + board, None, None, ("Board",)).Board
        finally:
            sys.modules["time"] = _time


class Time:
    def __init__(self, chip):
        self.chip = chip

    def ticks_ms(self):
        return self.chip.ticks & ((1 << 30) - 1)

    def ticks_diff(self, later, earlier):
        return (later - earlier + (1 << 29)) % (1 << 30) - (1 << 29)

    def time_ns(self):
        return (self.chip.utc_s - self.chip.epoch_s) * 1_000_000_000

    def gmtime(self, seconds):
        return _time.gmtime(seconds + self.chip.epoch_s)


def machine_of(chip):
    class Pin:
        IN, OUT, PULL_UP, PULL_DOWN, IRQ_RISING, IRQ_FALLING = "in", "out", "up", "down", 1, 2

        def __init__(self, number, mode=None, pull=None, value=None):
            self.number = number
            chip.log.append(("pin", number, mode, pull, value))

        def init(self, mode, pull):
            chip.log.append(("init", self.number, mode, pull))

        def __call__(self, value=None):
            if value is None:
                return chip.pins[self.number]
            chip.log.append(("set", self.number, value))
            return None

        def irq(self, handler, trigger):
            chip.log.append(("irq", self.number, trigger))
            chip.handler = handler

    class UART:
        def __init__(self, *args, **options):
            chip.uart = args + (options,)
            options["tx"], options["rx"] = options["tx"].number, options["rx"].number

        def write(self, data):
            if chip.log[-1][0] == "sent" and chip.log[-1][1] == b"full":
                return None  # RP2: no room, try again
            chip.log.append(("sent", bytes(data[:4])))
            return min(4, len(data))

        def flush(self):
            chip.log.append(("flushed",))
            if chip.cause == "stuck":
                raise OSError(110)

        def any(self):
            return len(chip.heard)

        def readinto(self, buffer, count):
            assert 0 < count <= len(chip.heard), "more than there is would be waited for"
            buffer[:count] = chip.heard[:count]
            chip.heard = chip.heard[count:]
            return count

    class PWM:
        def __init__(self, pin, **options):
            chip.log.append(("pwm", pin.number, options["freq"], options["duty_u16"]))

        def duty_u16(self, duty):
            chip.log.append(("duty", duty))

    class ADC:
        ATTN_11DB = 3

        def __init__(self, pin):
            chip.log.append(("adc", pin.number))

        def atten(self, value):
            chip.log.append(("atten", value))

        def read_uv(self):
            return chip.microvolts

        def read_u16(self):
            return chip.microvolts * 65535 // 3_300_000

    class I2C:
        def __init__(self, port, scl, sda, freq):
            chip.log.append(("i2c", port, scl.number, sda.number, freq))

    class RTC:
        def memory(self, data=None):
            if data is None:
                return chip.memory
            chip.memory = data
            return None

        def datetime(self, value):
            chip.log.append(("rtc", value))

    class WDT:
        def __init__(self, timeout):
            chip.log.append(("wdt", timeout))

        def feed(self):
            chip.log.append(("fed",))

    class Memory:
        def __getitem__(self, address):
            chip.log.append(("mem32", address))
            return chip.scratch

    class machine:
        PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5
        mem32 = Memory()

        @staticmethod
        def reset_cause():
            return chip.cause

        @staticmethod
        def reset():
            chip.log.append(("reset",))

    for part in (Pin, UART, PWM, ADC, I2C, RTC, WDT):
        setattr(machine, part.__name__, part)
    return machine


def network_of(chip):
    class Interface:
        PM_NONE = 0

        def __init__(self, *args, **options):
            for key in options:
                if hasattr(options[key], "number"):
                    options[key] = options[key].number
            chip.log.append(("interface", args, options))
            self.asked = 0

        def active(self, on):
            chip.log.append(("active", on))

        def config(self, **options):
            chip.log.append(("config", options))

        def connect(self, ssid, password):
            chip.log.append(("connect", ssid, password))

        def isconnected(self):
            self.asked += 1
            return chip.joins is not None and self.asked > chip.joins

    class network:
        STA_IF, PHY_LAN8720, PHY_IP101 = 0, 8720, 101
        WLAN = LAN = Interface

        @staticmethod
        def country(code):
            chip.log.append(("country", code))

    return network
