"""A UART on a pty: the host side of test_boards.py is the other end."""

import time

from edge.boards.simulated import Board


def receive(uart, count):
    buffer = bytearray(64)
    got = b""
    for _ in range(1000):
        got += bytes(buffer[: uart.read_into(buffer)])
        if len(got) >= count:
            return got
        time.sleep(0.01)
    return got


def test_uart(args):
    uart = Board({"uarts": {"bus": {"port": args["port"], "baud": 9600}}}, args["folder"]).uart("bus")
    assert uart.read_into(bytearray(8)) == 0, "never blocks"
    uart.write(b"hello")
    data = bytes(range(256))  # every byte passes as it is: no echo, no line ends, no XON and XOFF
    assert receive(uart, 256) == data
    uart.write(data)
    assert receive(uart, 4) == b"junk"
    uart.write(b"now")
    time.sleep(0.3)
    uart.clear()
    assert uart.read_into(bytearray(8)) == 0
    for _ in range(2000):
        uart.write(data)  # nobody takes it: it is lost, as on a wire, and nothing waits


def test_without_the_other_end(args):
    uart = Board({"uarts": {"bus": {"port": "/nowhere/tty"}}}, args["folder"]).uart("bus")
    uart.write(b"x")
    assert uart.read_into(bytearray(8)) == 0
