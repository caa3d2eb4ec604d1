"""A Linux controller: CPython 3.11, with the kernel's own interfaces (gpiod for pins, sysfs for PWM and ADC).

config["sysfs"] is where sysfs is mounted, /sys where it is left out. Times are those of the kernel's clock, once it is
believable; until then they are unknown, or as set_utc_ms() said.
"""

import fcntl
import os
import socket
import struct
import termios
import time
import tty
from signal import alarm

_TIOCSRS485 = 0x542F  # linux/serial.h: flags, delay before, delay after in ms, padding
_RS485_ENABLED, _RS485_RTS_ON_SEND = 1, 2
_I2C_SLAVE = 0x0703  # linux/i2c-dev.h
_WDIOC_SETTIMEOUT, _CARD_RESET = 0xC0045706, 0x20  # linux/watchdog.h
_SET_AFTER_MS = 1_735_689_600_000  # 2025-01-01: a clock before it was never set
_SETTLED_MS = 120_000  # NTP has so long after power-on before a clock is believed that it has not set


def _ticks() -> int:
    return time.monotonic_ns() // 1_000_000


def _since(later: int, earlier: int) -> int:
    return later - earlier


class Uart:
    """Opened when it is first used, and again after its adapter was pulled out. ValueError: its driver cannot do it."""

    def __init__(self, config: dict) -> None:
        self._path = config["port"]
        self._parity = {"none": 0, "even": termios.PARENB, "odd": termios.PARENB | termios.PARODD}[
            config.get("parity", "none")
        ]
        self._stop = termios.CSTOPB if config.get("stop_bits", 1) == 2 else 0
        self._speed = getattr(termios, "B%d" % config.get("baud", 9600), None)
        if self._speed is None:
            raise ValueError("%s: the kernel has no baud rate %s" % (self._path, config["baud"]))
        self._direction = config.get("direction")
        self._file = -1

    def _open(self) -> int:
        self._file = file = os.open(self._path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(file)
        mode = termios.tcgetattr(file)
        mode[2] &= ~(termios.PARENB | termios.PARODD | termios.CSTOPB)
        mode[2] |= termios.CLOCAL | termios.CREAD | self._parity | self._stop
        mode[4] = mode[5] = self._speed
        mode[6][termios.VMIN] = mode[6][termios.VTIME] = 0
        termios.tcsetattr(file, termios.TCSANOW, mode)
        if self._direction:
            flags = _RS485_ENABLED | _RS485_RTS_ON_SEND
            try:
                fcntl.ioctl(file, _TIOCSRS485, struct.pack("8I", flags, *[0] * 7))
            except OSError as error:
                raise ValueError(
                    "%s: its driver switches no direction (%s); leave `direction` out where the adapter does it"
                    % (self._path, error.strerror)
                ) from None
        return file

    def _do(self, function, data):
        """What function(file, data) returns; 0 where there is nothing, or nobody."""
        try:
            return function(self._file if self._file >= 0 else self._open(), data)
        except BlockingIOError:
            return 0
        except OSError:
            if self._file >= 0:
                os.close(self._file)
            self._file = -1
            return 0

    def write(self, data: bytes) -> None:
        self._do(os.write, data)

    def read_into(self, buffer: bytearray) -> int:
        count: int = self._do(os.readv, [buffer])
        return count

    def clear(self) -> None:
        while self._do(os.read, 64):
            pass


class I2c:
    def __init__(self, path: str) -> None:
        self._path = path
        self._file = -1

    def _at(self, address: int) -> int:
        if self._file < 0:
            self._file = os.open(self._path, os.O_RDWR)
        fcntl.ioctl(self._file, _I2C_SLAVE, address)
        return self._file

    def writeto(self, address: int, data: bytes) -> None:
        os.write(self._at(address), data)

    def readfrom_into(self, address: int, buffer: bytearray) -> None:
        os.readv(self._at(address), [buffer])


class Board:
    name = "linux"

    def __init__(self, config: dict, folder: str) -> None:
        self.folder = folder
        self._config = config
        self._sysfs = config.get("sysfs", "/sys")
        self._offset: int | None = None
        self._noticed: dict = {}
        self._cause = self._why()

    def _why(self) -> str:
        """The file `reset` is written by reset(), and by systemd's ExecStopPost with $SERVICE_RESULT."""
        path = self.folder + "/reset"
        result = _read(path)
        if result:
            os.remove(path)
            return {"watchdog": "watchdog", "software": "software", "success": "software"}.get(result, "unknown")
        status = _read(self._sysfs + "/class/watchdog/watchdog0/bootstatus")
        return "watchdog" if status and int(status) & _CARD_RESET else "power"

    def ms(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000

    def utc_ms(self) -> int | None:
        """The unit's sandbox forbids adjtimex(2), so that timesyncd's mark or two minutes stand for `synchronised`."""
        now = time.time_ns() // 1_000_000
        if now > _SET_AFTER_MS and (self.ms() > _SETTLED_MS or os.path.exists("/run/systemd/timesync/synchronized")):
            return now
        return None if self._offset is None else self._offset + self.ms()

    def set_utc_ms(self, ms: int) -> None:
        self._offset = ms - self.ms()

    def uart(self, name: str) -> Uart:
        return Uart(self._config["uarts"][name])

    def input(self, name: str):
        request, line, active = self._line(name, True)

        def read() -> int:
            if request.wait_edge_events(0):  # the kernel kept them while the loop was busy
                request.read_edge_events()
                self._noticed.get(name, bool)(None)
            return int(request.get_value(line) == active)

        return read

    def on_change(self, name: str, function) -> None:
        """Called when the input is next read."""
        self._noticed[name] = function

    def output(self, name: str):
        request, line, active = self._line(name, False)
        values = type(active)
        return lambda value: request.set_value(line, active if value else values.INACTIVE)

    def _line(self, name: str, is_input: bool):
        """(request, line, the value that is 1). config["pin"] is the line's name, or chip and number: gpiochip0:17."""
        config = self._config["pins"][name]
        gpiod = _gpiod()
        settings = gpiod.LineSettings(
            direction=gpiod.line.Direction.INPUT if is_input else gpiod.line.Direction.OUTPUT,
            edge_detection=gpiod.line.Edge.BOTH if is_input else gpiod.line.Edge.NONE,
            bias={"up": gpiod.line.Bias.PULL_UP, "down": gpiod.line.Bias.PULL_DOWN}.get(
                config.get("pull"), gpiod.line.Bias.AS_IS
            ),
            active_low=bool(config.get("invert")),
        )
        chip, _, line = config["pin"].rpartition(":")
        chip, line = ("/dev/" + chip, int(line)) if chip else _chip_of(gpiod, line)
        return gpiod.request_lines(chip, {line: settings}, "multipole"), line, gpiod.line.Value.ACTIVE

    def pwm(self, name: str):
        """config["pin"]: chip and channel, pwmchip0:1."""
        config = self._config["pwms"][name]
        chip, _, channel = config["pin"].partition(":")
        chip = self._sysfs + "/class/pwm/" + chip
        path = chip + "/pwm%s/" % channel
        if not os.path.exists(path):
            _write(chip + "/export", channel)
        period = 1_000_000_000 // config.get("freq", 1000)
        # full until somebody says otherwise: a lamp fails lit
        for key, value in (("period", period), ("duty_cycle", period), ("enable", 1)):
            _write(path + key, value)
        return lambda permille: _write(path + "duty_cycle", period * permille // 1000)

    def adc(self, name: str):
        """config["pin"]: device and channel, iio:device0/in_voltage3; the kernel gives its scale in millivolts."""
        channel = self._sysfs + "/bus/iio/devices/" + self._config["adcs"][name]["pin"]
        scale = _read(channel + "_scale") or _read(os.path.dirname(channel) + "/in_voltage_scale")

        def read() -> int:
            with open(channel + "_raw") as file:
                return round(int(file.read()) * float(scale or 0) * 1000)

        return read

    def i2c(self, name: str) -> I2c:
        return I2c(self._config["i2cs"][name]["port"])

    def watchdog(self):
        """systemd's where the unit has WatchdogSec, config["watchdog_device"], or a timer that ends the process."""
        seconds = (self._config.get("watchdog", 30_000) + 999) // 1000
        target = os.environ.get("NOTIFY_SOCKET")
        if target and "WATCHDOG_USEC" in os.environ:
            notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            notify.connect("\0" + target[1:] if target[0] == "@" else target)
            return lambda: notify.send(b"WATCHDOG=1")  # sd_notify(3)
        device = self._config.get("watchdog_device")
        if device:
            file = os.open(device, os.O_WRONLY)
            fcntl.ioctl(file, _WDIOC_SETTIMEOUT, struct.pack("i", seconds))
            return lambda: os.write(file, b"1")
        return lambda: alarm(seconds)

    def reset(self) -> None:
        """systemd starts the agent again (Restart=always)."""
        _write(self.folder + "/reset", "software")
        os._exit(3)

    def reset_cause(self) -> str:
        return self._cause

    def memory_free(self) -> int:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

    async def network(self) -> bool:
        return True


def _gpiod():
    try:
        import gpiod  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        raise RuntimeError(
            "pins need the package gpiod, 2.1 or newer: pip install gpiod, where the agent runs"
        ) from None
    return gpiod


def _chip_of(gpiod, name: str):
    """(chip, number) of a line by its name."""
    for entry in sorted(os.listdir("/dev")):
        path = "/dev/" + entry
        if entry.startswith("gpiochip") and gpiod.is_gpiochip_device(path):
            with gpiod.Chip(path) as chip:
                try:
                    return path, chip.line_offset_from_id(name)
                except (OSError, ValueError):
                    continue
    raise ValueError("pins: no GPIO chip has a line named %s; `gpioinfo` lists them" % name)


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""


def _write(path: str, value: object) -> None:
    with open(path, "w") as file:
        file.write(str(value))
