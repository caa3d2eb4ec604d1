"""What ESP32 and RP2 share: UARTs, pins, PWM, I2C, clock and network, through MicroPython's `machine` and `network`."""

import asyncio
import gc
import time

import machine
from machine import Pin

EPOCH_MS = 946_684_800_000 if time.gmtime(0)[0] == 2000 else 0  # ESP32 counts from 2000, RP2 from 1970
_SET_AFTER_MS = 1_735_689_600_000  # 2025-01-01: a clock before it was never set


class Uart:
    def __init__(self, config: dict) -> None:
        baud = config.get("baud", 9600)
        self._uart = machine.UART(
            config["port"],
            baudrate=baud,
            bits=8,
            parity={"even": 0, "odd": 1}.get(config.get("parity", "none")),
            stop=config.get("stop_bits", 1),
            tx=Pin(config["tx"]),
            rx=Pin(config["rx"]),
            rxbuf=max(512, baud // 50),  # what comes in 200 ms: the loop is not always there
        )
        direction = config.get("direction")
        self._direction = None if direction is None else Pin(direction, Pin.OUT, value=0)

    def write(self, data: bytes) -> None:
        """With a direction pin it returns when the last bit has left: a device answers after 3.5 characters."""
        direction = self._direction
        if direction:
            direction(1)
        try:
            view = memoryview(data)
            while len(view):
                view = view[self._uart.write(view) or 0 :]
            if direction:
                self._uart.flush()
        finally:
            if direction:
                direction(0)

    def read_into(self, buffer) -> int:
        count = min(self._uart.any(), len(buffer))
        return (self._uart.readinto(buffer, count) or 0) if count else 0

    def clear(self) -> None:
        buffer = bytearray(64)
        while self.read_into(buffer):
            pass


class Board:
    WATCHDOG_MS = 8000

    def __init__(self, config: dict, folder: str) -> None:
        self.folder = folder
        self._config = config
        self._lan = None
        self._ms = self._ticks = time.ticks_ms()
        utc_ms = time.time_ns() // 1_000_000 + EPOCH_MS  # outlives a reset on ESP32
        self._offset = utc_ms - self._ms if utc_ms > _SET_AFTER_MS else None

    def ms(self) -> int:
        """Not from an interrupt: it counts on."""
        ticks = time.ticks_ms()
        self._ms += time.ticks_diff(ticks, self._ticks)
        self._ticks = ticks
        return self._ms

    def utc_ms(self) -> int | None:
        return None if self._offset is None else self._offset + self.ms()

    def set_utc_ms(self, ms: int) -> None:
        self._offset = ms - self.ms()
        t = time.gmtime((ms - EPOCH_MS) // 1000)
        machine.RTC().datetime((t[0], t[1], t[2], t[6], t[3], t[4], t[5], ms % 1000 * 1000))

    def uart(self, name: str) -> Uart:
        return Uart(self._config["uarts"][name])

    def input(self, name: str):
        config = self._config["pins"][name]
        pin = Pin(config["pin"], Pin.IN)
        if config.get("pull"):
            pin.init(Pin.IN, Pin.PULL_UP if config["pull"] == "up" else Pin.PULL_DOWN)
        invert = 1 if config.get("invert") else 0
        return lambda: pin() ^ invert

    def on_change(self, name: str, function) -> None:
        pin = Pin(self._config["pins"][name]["pin"])
        pin.irq(function, Pin.IRQ_RISING | Pin.IRQ_FALLING)

    def output(self, name: str):
        config = self._config["pins"][name]
        pin = Pin(config["pin"], Pin.OUT)
        invert = 1 if config.get("invert") else 0
        return lambda value: pin(value ^ invert)

    def pwm(self, name: str):
        config = self._config["pwms"][name]
        # full until somebody says otherwise: a lamp fails lit
        pwm = machine.PWM(Pin(config["pin"]), freq=config.get("freq", 1000), duty_u16=65535)
        return lambda permille: pwm.duty_u16(permille * 65535 // 1000)

    def i2c(self, name: str):
        config = self._config["i2cs"][name]
        return machine.I2C(
            config["port"],
            scl=Pin(config["scl"]),
            sda=Pin(config["sda"]),
            freq=config.get("freq", 100_000),
        )

    def watchdog(self):
        return machine.WDT(timeout=self._config.get("watchdog", self.WATCHDOG_MS)).feed

    def memory_free(self) -> int:
        return gc.mem_free()

    async def network(self) -> bool:
        config = self._config.get("network")
        if not config:
            return True
        lan = self._lan
        try:
            if not lan:
                self._lan = lan = self._interface(config)
            if lan.isconnected():
                return True
            lan.active(True)
            if "ssid" in config:
                lan.config(pm=lan.PM_NONE)  # asleep between beacons it misses what the broker sends
                lan.connect(config["ssid"], self._password())
            for _ in range(100):
                await asyncio.sleep(0.2)
                if lan.isconnected():
                    return True
            lan.active(False)
        except OSError:
            pass
        return False

    def _password(self) -> str:
        with open(self.folder + "/wifi") as file:
            return file.read().strip()

    def _interface(self, config: dict):
        import network

        if "country" in config:
            network.country(config["country"])  # which channels there are
        return network.WLAN(network.STA_IF)
