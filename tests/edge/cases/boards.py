"""The simulated board: its files, its clock, its UART."""

import time

from edge.boards.simulated import Board


def board(args, **config):
    config["pins"] = {"cover": {"pin": 1}, "button": {"pin": 2, "invert": True}, "relay": {"pin": 3}}
    return Board(config, args["folder"])


def write(args, name, text):
    with open(args["folder"] + "/" + name, "w") as file:
        file.write(text)


def read(args, name):
    with open(args["folder"] + "/" + name) as file:
        return file.read()


def test_pins_are_files(args):
    it = board(args)
    cover, button, relay = it.input("cover"), it.input("button"), it.output("relay")
    assert (cover(), button()) == (0, 1), "a missing file is 0, before the inversion"
    write(args, "pins/cover", "1\n")
    write(args, "pins/button", "1")
    assert (cover(), button()) == (1, 0)
    relay(1)
    assert read(args, "pins/relay") == "1"
    relay(0)
    assert read(args, "pins/relay") == "0"


def test_adc_and_pwm_are_files(args):
    it = board(args)
    assert it.adc("level")() == 0
    write(args, "pins/level", "1650000")
    assert it.adc("level")() == 1_650_000
    it.pwm("dim")(625)
    assert read(args, "pins/dim") == "625"


def test_i2c_devices_are_files(args):
    bus = board(args).i2c("one")
    buffer = bytearray(3)
    for call in (bus.writeto, bus.readfrom_into):
        try:
            call(0x44, buffer)
            raise AssertionError("nobody answers there")
        except OSError:
            pass
    write(args, "pins/one-44", "beef92\n")
    bus.writeto(0x44, b"\x24\x00")
    assert read(args, "pins/one-44.sent") == "2400"
    bus.readfrom_into(0x44, buffer)
    assert bytes(buffer) == b"\xbe\xef\x92"


def test_milliseconds_go_forward(args):
    it = board(args)
    first = it.ms()
    time.sleep(0.03)
    assert 25 <= it.ms() - first < 5000
    assert isinstance(it.ms(), int)


def test_time_of_the_machine_or_unknown_until_set(args):
    began = int(time.time())
    assert began <= board(args).utc_ms() // 1000 <= int(time.time())
    it = board(args, clock="unset")
    assert it.utc_ms() is None
    it.set_utc_ms(1_800_000_000_000)
    assert 0 <= it.utc_ms() - 1_800_000_000_000 < 5000


def test_reset_cause_is_told_once(args):
    assert board(args).reset_cause() == "power"
    write(args, "reset", "watchdog")
    it = board(args)
    assert it.reset_cause() == it.reset_cause() == "watchdog"
    assert board(args).reset_cause() == "power"


def test_network_is_there_at_once(args):
    return network(args)


async def network(args):
    assert await board(args).network() is True
