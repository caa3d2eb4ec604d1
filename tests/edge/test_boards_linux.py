"""The Linux board, on what every Linux has: ptys, sockets, files in place of sysfs, and gpiod's own library."""

import os
import pty
import signal
import socket
import subprocess
import sys
import termios
import time

import pytest

from edge.boards import linux
from edge.boards.linux import Board
from tests.parts.servers import missing

NOW_MS = 1_800_000_000_000


@pytest.fixture
def port():
    """(our end, the path of the other)."""
    end, tty = pty.openpty()
    yield end, os.ttyname(tty)
    os.close(end)
    os.close(tty)


def board(tmp_path, **config):
    return Board({"sysfs": str(tmp_path / "sys"), **config}, str(tmp_path))


def received(uart, count):
    buffer, got = bytearray(64), b""
    until = time.monotonic() + 20
    while len(got) < count and time.monotonic() < until:
        got += buffer[: uart.read_into(buffer)]
    return got


def test_uart_has_its_speed_and_parity(tmp_path, port):
    end, path = port
    uart = board(tmp_path, uarts={"bus": {"port": path, "baud": 2400, "parity": "odd", "stop_bits": 2}}).uart("bus")
    uart.write(b"\x11\x13\r\n\x00\xff")
    assert os.read(end, 64) == b"\x11\x13\r\n\x00\xff"
    file = os.open(path, os.O_RDWR | os.O_NOCTTY)
    mode = termios.tcgetattr(file)
    os.close(file)
    assert mode[4] == mode[5] == termios.B2400
    # a pty has neither parity nor 7 bits, and says so: the rest was taken
    assert mode[2] & termios.CSTOPB
    assert mode[2] & termios.CLOCAL
    assert mode[2] & termios.CSIZE == termios.CS8
    os.write(end, b"\x11\x13\r\n\x00\xff")
    assert received(uart, 6) == b"\x11\x13\r\n\x00\xff"


def test_uart_asks_for_the_parity(tmp_path, port, monkeypatch):
    asked = []
    monkeypatch.setattr(linux.termios, "tcsetattr", lambda file, when, mode: asked.append(mode[2]))
    both = termios.PARENB | termios.PARODD
    for parity, bits in (("none", 0), ("even", termios.PARENB), ("odd", both)):
        board(tmp_path, uarts={"bus": {"port": port[1], "parity": parity}}).uart("bus").read_into(bytearray(1))
        assert asked[-1] & both == bits


def test_uart_is_opened_again(tmp_path):
    link = tmp_path / "adapter"
    uart = board(tmp_path, uarts={"bus": {"port": str(link)}}).uart("bus")
    uart.write(b"nobody there")
    assert uart.read_into(bytearray(8)) == 0
    for _ in range(2):
        end, tty = pty.openpty()
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(tty))
        for _ in range(3):  # the first one may find out that the old one is gone
            uart.write(b"hello")
            uart.read_into(bytearray(8))
        assert os.read(end, 64).startswith(b"hello")
        os.close(end)
        os.close(tty)


def test_uart_that_nobody_reads_does_not_block(tmp_path, port):
    uart = board(tmp_path, uarts={"bus": {"port": port[1]}}).uart("bus")
    for _ in range(1000):
        uart.write(bytes(256))


def test_a_speed_that_the_kernel_has_not(tmp_path):
    with pytest.raises(ValueError, match="/dev/ttyS1: the kernel has no baud rate 14400"):
        board(tmp_path, uarts={"bus": {"port": "/dev/ttyS1", "baud": 14400}}).uart("bus")


def test_a_driver_without_rs485(tmp_path, port):
    uart = board(tmp_path, uarts={"bus": {"port": port[1], "direction": "rts"}}).uart("bus")
    with pytest.raises(ValueError, match=r"switches no direction .* leave `direction` out"):
        uart.write(b"x")


def test_rs485_is_asked_for(tmp_path, port, monkeypatch):
    asked = []
    monkeypatch.setattr(linux.fcntl, "ioctl", lambda file, request, data: asked.append((request, data)))
    board(tmp_path, uarts={"bus": {"port": port[1], "direction": "rts"}}).uart("bus").write(b"x")
    assert asked == [(0x542F, b"\x03" + bytes(31))]  # enabled, RTS high while sending


def test_pwm_by_sysfs(tmp_path):
    folder = tmp_path / "sys/class/pwm/pwmchip0/pwm1"
    folder.mkdir(parents=True)
    dim = board(tmp_path, pwms={"dim": {"pin": "pwmchip0:1", "freq": 500}}).pwm("dim")

    def held():
        return [(folder / name).read_text() for name in ("period", "duty_cycle", "enable")]

    assert held() == ["2000000", "2000000", "1"], "full until it is told"
    dim(250)
    assert held() == ["2000000", "500000", "1"]


def test_pwm_is_exported(tmp_path):
    chip = tmp_path / "sys/class/pwm/pwmchip0"
    chip.mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="pwm1"):  # a kernel would have made its folder
        board(tmp_path, pwms={"dim": {"pin": "pwmchip0:1"}}).pwm("dim")
    assert (chip / "export").read_text() == "1"


@pytest.mark.parametrize("scale", ["in_voltage3_scale", "in_voltage_scale"])
def test_adc_by_sysfs(tmp_path, scale):
    folder = tmp_path / "sys/bus/iio/devices/iio:device0"
    folder.mkdir(parents=True)
    (folder / scale).write_text("0.805664062\n")
    (folder / "in_voltage3_raw").write_text("2048\n")
    adc = board(tmp_path, adcs={"level": {"pin": "iio:device0/in_voltage3"}}).adc("level")
    assert adc() == 1_650_000
    (folder / "in_voltage3_raw").unlink()
    with pytest.raises(OSError, match="in_voltage3_raw"):
        adc()


def test_i2c_without_a_bus_is_an_error_of_the_reading(tmp_path):
    bus = board(tmp_path, i2cs={"main": {"port": str(tmp_path / "i2c-1")}}).i2c("main")
    with pytest.raises(OSError, match="i2c-1"):
        bus.writeto(0x44, b"\x24\x00")


def test_i2c_names_the_device_before_each_transfer(tmp_path, monkeypatch):
    path = tmp_path / "i2c-1"
    path.write_bytes(b"")
    asked = []
    monkeypatch.setattr(linux.fcntl, "ioctl", lambda file, request, address: asked.append((request, address)))
    bus = board(tmp_path, i2cs={"main": {"port": str(path)}}).i2c("main")
    bus.writeto(0x44, b"\x24\x00")
    assert path.read_bytes() == b"\x24\x00"
    bus.readfrom_into(0x23, bytearray(2))
    assert asked == [(0x0703, 0x44), (0x0703, 0x23)]


class Line:
    """What gpiod's request gives, for one line."""

    def __init__(self, chip, lines, consumer):
        ((self.number, self.settings),) = lines.items()
        self.chip, self.consumer, self.value, self.edges = chip, consumer, None, 0

    def get_value(self, line):
        assert line == self.number
        return self.value

    def set_value(self, line, value):
        assert line == self.number
        self.value = value

    def wait_edge_events(self, timeout):
        assert timeout == 0
        return self.edges > 0

    def read_edge_events(self):
        self.edges = 0


@pytest.fixture
def lines(monkeypatch):
    try:
        import gpiod
    except ImportError:
        missing("the package gpiod is not there; `make test` installs it on Linux")
    requested = []

    def request(chip, lines, consumer):
        requested.append(Line(chip, lines, consumer))
        return requested[-1]

    monkeypatch.setattr(gpiod, "request_lines", request)
    return requested


def test_inputs_by_gpiod(tmp_path, lines):
    from gpiod.line import Bias, Direction, Edge, Value

    it = board(tmp_path, pins={"sos": {"pin": "gpiochip0:17", "pull": "up", "invert": True}})
    sos, noticed = it.input("sos"), []
    line = lines[0]
    assert (line.chip, line.number) == ("/dev/gpiochip0", 17)
    assert line.settings.direction == Direction.INPUT
    assert line.settings.bias == Bias.PULL_UP
    assert line.settings.edge_detection == Edge.BOTH
    assert line.settings.active_low
    line.value = Value.ACTIVE
    assert sos() == 1
    line.value, line.edges = Value.INACTIVE, 2
    assert sos() == 0, "edges that nobody asked for are thrown away"
    it.on_change("sos", noticed.append)
    assert (sos(), noticed) == (0, [])
    line.edges = 2
    assert (sos(), noticed) == (0, [None])


def test_outputs_by_gpiod(tmp_path, lines):
    from gpiod.line import Direction, Value

    relay = board(tmp_path, pins={"relay": {"pin": "gpiochip1:4"}}).output("relay")
    assert lines[0].chip == "/dev/gpiochip1"
    assert lines[0].settings.direction == Direction.OUTPUT
    assert not lines[0].settings.active_low
    relay(1)
    assert lines[0].value == Value.ACTIVE
    relay(0)
    assert lines[0].value == Value.INACTIVE


def test_a_line_that_there_is_not(tmp_path, lines):
    with pytest.raises(ValueError, match="no GPIO chip has a line named NO_SUCH_LINE; `gpioinfo` lists them"):
        board(tmp_path, pins={"sos": {"pin": "NO_SUCH_LINE"}}).input("sos")


def test_without_gpiod(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gpiod", None)
    with pytest.raises(RuntimeError, match=r"gpiod, 2\.1 or newer: pip install gpiod"):
        board(tmp_path, pins={"sos": {"pin": "gpiochip0:17"}}).input("sos")


@pytest.mark.parametrize("abstract", [False, True])
def test_watchdog_of_systemd(tmp_path, monkeypatch, abstract):
    name = f"\0multipole-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        manager.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", name.replace("\0", "@"))
        monkeypatch.setenv("WATCHDOG_USEC", "30000000")
        feed = board(tmp_path).watchdog()
        feed()
        assert manager.recv(64) == b"WATCHDOG=1"


def test_watchdog_of_the_machine(tmp_path, monkeypatch):
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    asked = []
    monkeypatch.setattr(linux.fcntl, "ioctl", lambda file, request, data: asked.append((request, data)))
    device = tmp_path / "watchdog"
    device.write_bytes(b"")
    feed = board(tmp_path, watchdog_device=str(device), watchdog=14_500).watchdog()
    assert asked == [(0xC0045706, b"\x0f\0\0\0")]
    feed()
    assert device.read_bytes() == b"1"


def run(tmp_path, code):
    environment = {key: value for key, value in os.environ.items() if key not in ("NOTIFY_SOCKET", "WATCHDOG_USEC")}
    script = f"from edge.boards.linux import Board\nboard = Board({{'watchdog': 1000}}, {str(tmp_path)!r})\n{code}"
    return subprocess.run([sys.executable, "-c", script], timeout=60, env=environment).returncode


def test_watchdog_by_itself(tmp_path):
    assert run(tmp_path, "board.watchdog()()\nwhile True: pass") == -signal.SIGALRM


def test_reset_is_told_after_it(tmp_path):
    assert run(tmp_path, "board.reset()") == 3
    assert board(tmp_path).reset_cause() == "software"
    assert board(tmp_path).reset_cause() == "power", "nobody told of a stop: the machine went down"


@pytest.mark.parametrize(
    ("result", "cause"),
    [("watchdog", "watchdog"), ("success", "software"), ("core-dump", "unknown"), ("signal", "unknown")],
)
def test_reset_cause_by_systemd(tmp_path, result, cause):
    (tmp_path / "reset").write_text(result + "\n")
    it = board(tmp_path)
    assert it.reset_cause() == it.reset_cause() == cause


@pytest.mark.parametrize(("status", "cause"), [("0", "power"), ("32", "watchdog")])
def test_reset_by_the_watchdog_of_the_machine(tmp_path, status, cause):
    folder = tmp_path / "sys/class/watchdog/watchdog0"
    folder.mkdir(parents=True)
    (folder / "bootstatus").write_text(status + "\n")
    assert board(tmp_path).reset_cause() == cause


def test_time_is_believed_when_it_has_settled(tmp_path, monkeypatch):
    it = board(tmp_path)
    monkeypatch.setattr(linux.os.path, "exists", lambda path: False)
    monkeypatch.setattr(linux.time, "time_ns", lambda: NOW_MS * 1_000_000)
    monkeypatch.setattr(it, "ms", lambda: 119_000)
    assert it.utc_ms() is None
    it.set_utc_ms(NOW_MS - 5000)
    monkeypatch.setattr(it, "ms", lambda: 120_000)
    assert it.utc_ms() == NOW_MS - 4000
    monkeypatch.setattr(it, "ms", lambda: 120_001)
    assert it.utc_ms() == NOW_MS
    monkeypatch.setattr(linux.time, "time_ns", lambda: 946_684_800_000_000_000)
    assert it.utc_ms() == NOW_MS - 3999, "a clock that was never set is not believed"


def test_time_is_believed_once_it_is_synchronised(tmp_path, monkeypatch):
    it = board(tmp_path)
    monkeypatch.setattr(it, "ms", lambda: 1000)
    monkeypatch.setattr(linux.os.path, "exists", lambda path: path == "/run/systemd/timesync/synchronized")
    monkeypatch.setattr(linux.time, "time_ns", lambda: NOW_MS * 1_000_000)
    assert it.utc_ms() == NOW_MS


def test_the_rest(tmp_path):
    it = board(tmp_path)
    first = it.ms()
    time.sleep(0.02)
    assert 15 <= it.ms() - first < 10_000
    assert it.memory_free() > 0
