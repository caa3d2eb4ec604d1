"""What the boards of ESP32 and RP2 do with their hardware, on a chip that keeps a log."""

from fake_chip import Chip

NOW_S = 1_800_000_000  # 2027-01-15 08:00:00 UTC, a Friday
UART = {"port": 1, "tx": 17, "rx": 16, "direction": 4, "baud": 9600, "parity": "even", "stop_bits": 1}


def boards(config, folder="", **chip):
    """(chip, board) of both kinds."""
    chip.setdefault("utc_s", NOW_S)
    for name, epoch in (("esp32", 2000), ("rp2", 1970)):
        fake = Chip(epoch, **chip)
        yield fake, fake.load(name)(config, folder)


def test_uart_is_set_up(args):
    for chip, board in boards({"uarts": {"bus": UART, "up": {"port": 0, "tx": 0, "rx": 1, "baud": 115200}}}):
        board.uart("bus")
        assert chip.uart == (
            1, {"baudrate": 9600, "bits": 8, "parity": 0, "stop": 1, "tx": 17, "rx": 16, "rxbuf": 512},
        )  # fmt: skip
        assert ("pin", 4, "out", None, 0) in chip.log, "it listens from the start"
        board.uart("up")
        assert chip.uart[1]["parity"] is None
        assert chip.uart[1]["rxbuf"] == 2304


def test_uart_parity(args):
    for name, value in (("none", None), ("even", 0), ("odd", 1)):
        for chip, board in boards({"uarts": {"bus": dict(UART, parity=name)}}):
            board.uart("bus")
            assert chip.uart[1]["parity"] == value


def test_direction_is_high_until_the_last_bit_has_left(args):
    for chip, board in boards({"uarts": {"bus": UART}}):
        uart = board.uart("bus")
        chip.log.clear()
        uart.write(b"12345678")
        assert chip.log == [("set", 4, 1), ("sent", b"1234"), ("sent", b"5678"), ("flushed",), ("set", 4, 0)]


def test_direction_is_low_again_whatever_happens(args):
    for chip, board in boards({"uarts": {"bus": UART}}, cause="stuck"):
        uart = board.uart("bus")
        chip.log.clear()
        try:
            uart.write(b"1234")
            raise AssertionError("it was stuck")
        except OSError:
            pass
        assert chip.log[-1] == ("set", 4, 0)


def test_without_a_direction_pin_nothing_is_waited_for(args):
    config = dict(UART)
    del config["direction"]
    for chip, board in boards({"uarts": {"bus": config}}):
        uart = board.uart("bus")
        chip.log.clear()
        chip.log.append(("start",))
        uart.write(b"12345")
        assert chip.log[1:] == [("sent", b"1234"), ("sent", b"5")]


def test_reads_what_is_there(args):
    for chip, board in boards({"uarts": {"bus": UART}}):
        uart = board.uart("bus")
        buffer = bytearray(4)
        assert uart.read_into(buffer) == 0
        chip.heard = b"abcdef"
        assert (uart.read_into(buffer), bytes(buffer)) == (4, b"abcd")
        assert (uart.read_into(buffer), bytes(buffer[:2])) == (2, b"ef")
        chip.heard = bytes(200)
        uart.clear()
        assert chip.heard == b""


def test_pins(args):
    config = {"pins": {"sos": {"pin": 5, "pull": "up", "invert": True}, "cover": {"pin": 6}}}
    config["pins"]["relay"] = {"pin": 7, "invert": True}
    for chip, board in boards(config):
        chip.pins = {5: 0, 6: 0}
        sos, cover = board.input("sos"), board.input("cover")
        assert ("init", 5, "in", "up") in chip.log
        assert not any(entry[:2] == ("init", 6) for entry in chip.log)
        assert (sos(), cover()) == (1, 0)
        chip.pins = {5: 1, 6: 1}
        assert (sos(), cover()) == (0, 1)
        board.on_change("sos", print)
        assert chip.log[-1] == ("irq", 5, 3)
        assert chip.handler is print
        relay = board.output("relay")
        relay(1)
        relay(0)
        assert chip.log[-2:] == [("set", 7, 0), ("set", 7, 1)]


def test_pwm_is_full_until_it_is_told(args):
    for chip, board in boards({"pwms": {"dim": {"pin": 8, "freq": 500}}}):
        dim = board.pwm("dim")
        for permille in (0, 500, 1000):
            dim(permille)
        assert chip.log[-4:] == [("pwm", 8, 500, 65535), ("duty", 0), ("duty", 32767), ("duty", 65535)]


def test_adc_is_in_microvolts(args):
    for chip, board in boards({"adcs": {"level": {"pin": 34}}}):
        adc = board.adc("level")
        chip.microvolts = 1_650_000
        assert abs(adc() - 1_650_000) < 60
        assert (("atten", 3) in chip.log) == (board.name == "esp32")


def test_i2c(args):
    for chip, board in boards({"i2cs": {"main": {"port": 0, "scl": 22, "sda": 21}}}):
        board.i2c("main")
        assert chip.log[-1] == ("i2c", 0, 22, 21, 100_000)


def test_milliseconds_do_not_wrap(args):
    for chip, board in boards({}):
        assert board.ms() == 5000
        for _ in range(8):
            chip.ticks += 300_000_000  # 3.5 days
            board.ms()
        assert board.ms() == 5000 + 8 * 300_000_000


def test_time_is_unknown_until_it_is_set(args):
    for utc_s in (946_684_800, 1_609_459_200):  # 2000 and 2021: where the chips start
        for chip, board in boards({}, utc_s=utc_s):
            assert board.utc_ms() is None
            board.set_utc_ms(NOW_S * 1000 + 123)
            assert chip.log[-1] == ("rtc", (2027, 1, 15, 4, 8, 0, 0, 123_000))
            chip.ticks += 1500
            assert board.utc_ms() == NOW_S * 1000 + 1623


def test_time_that_outlived_a_reset_is_known(args):
    for _, board in boards({}):
        assert board.utc_ms() == NOW_S * 1000


def test_reset_causes_of_esp32(args):
    for cause, memory, expected in (
        (1, b"", "power"),
        (1, b"run", "brownout"),
        (3, b"run", "watchdog"),
        (2, b"end", "software"),
        (5, b"run", "software"),
        (2, b"run", "unknown"),
        (0, b"run", "unknown"),
    ):
        chip = Chip(2000, NOW_S, cause=cause, memory=memory)
        board = chip.load("esp32")({}, "")
        assert board.reset_cause() == expected, (cause, memory)
        assert chip.memory == b"run"
        board.reset()
        assert chip.memory == b"end"
        assert chip.log[-1] == ("reset",)


def test_reset_causes_of_rp2(args):
    for cause, scratch, expected in (
        (1, 0x6AB73121, "power"),
        (3, 0x6AB73121, "watchdog"),
        (3, 0, "software"),
    ):
        chip = Chip(1970, NOW_S, cause=cause, scratch=scratch)
        board = chip.load("rp2")({}, "")
        assert board.reset_cause() == expected, (cause, scratch)
        board.reset()
        assert chip.log[-1] == ("reset",)


def test_watchdog(args):
    for chip, board in boards({}):
        board.watchdog()()
        assert chip.log[-2:] == [("wdt", 30_000 if board.name == "esp32" else 8300), ("fed",)]
    for chip, board in boards({"watchdog": 5000}):
        board.watchdog()
        assert chip.log[-1] == ("wdt", 5000)


def test_no_network_is_there_at_once(args):
    return no_network()


async def no_network():
    for chip, board in boards({"network": None}):
        assert await board.network() is True
        assert chip.log == []


def test_wifi(args):
    with open(args["folder"] + "/wifi", "w") as file:
        file.write("secret password\n")
    return wifi(args["folder"])


async def wifi(folder):
    config = {"network": {"kind": "wifi", "ssid": "poles", "country": "CN"}}
    for chip, board in boards(config, folder):
        chip.log.clear()
        assert await board.network() is True
        assert chip.log == [
            ("country", "CN"), ("interface", (0,), {}), ("active", True), ("config", {"pm": 0}),
            ("connect", "poles", "secret password"),
        ]  # fmt: skip
        assert await board.network() is True
        assert len(chip.log) == 5, "it is not disturbed while it is there"


def test_wifi_that_does_not_come_is_given_up(args):
    return no_wifi(args["folder"])


async def no_wifi(folder):
    import asyncio

    sleeps = []

    async def sleep(seconds):
        sleeps.append(seconds)

    real, asyncio.sleep = asyncio.sleep, sleep
    try:
        for chip, board in boards({"network": {"kind": "wifi", "ssid": "poles"}}, folder, joins=None):
            assert await board.network() is False
            assert chip.log[-1] == ("active", False)
            assert 15 <= sum(sleeps) <= 30
            sleeps.clear()
        for _, board in boards({"network": {"kind": "wifi", "ssid": "poles"}}, "/nowhere"):
            assert await board.network() is False, "no password is no network, and no crash"
    finally:
        asyncio.sleep = real


def test_ethernet_of_esp32(args):
    return ethernet()


async def ethernet():
    config = {"network": {"kind": "ethernet", "phy": "IP101", "phy_addr": 1, "mdc": 23, "mdio": 18, "power": 5}}
    chip = Chip(2000, NOW_S)
    assert await chip.load("esp32")(config, "").network() is True
    assert chip.log[-2:] == [
        ("interface", (), {"phy_type": 101, "phy_addr": 1, "mdc": 23, "mdio": 18, "power": 5}), ("active", True),
    ]  # fmt: skip
