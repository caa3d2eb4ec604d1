import os
import pty
import select
import signal
import subprocess
import tty

import pytest


def test_simulated_board(interpreter, tmp_path):
    interpreter.run("boards", folder=str(tmp_path))


def exchanged(end, sent, count):
    """What came until it was `count` bytes, after `sent` went out."""
    os.write(end, sent)
    got = b""
    while len(got) < count and select.select([end], [], [], 20)[0]:
        got += os.read(end, 4096)
    return got


def test_uart_is_a_pty(interpreter, tmp_path):
    end, port = pty.openpty()
    tty.setraw(port)
    process = interpreter.start(
        "boards_uart", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, folder=str(tmp_path), port=os.ttyname(port)
    )
    with process:
        assert exchanged(end, b"", 5) == b"hello"
        assert exchanged(end, bytes(range(256)), 256) == bytes(range(256))
        assert exchanged(end, b"junk", 3) == b"now"
        os.write(end, b"late answer")
        output, _ = process.communicate(timeout=60)
    os.close(end)
    os.close(port)
    assert process.returncode == 0, output


@pytest.mark.parametrize(
    ("only", "code", "cause"),
    [
        ("test_reset", 3, "software"),
        ("test_watchdog_fed", 0, None),
        ("test_watchdog_starved", -signal.SIGALRM, None),
    ],
)
def test_ends(interpreter, tmp_path, only, code, cause):
    with interpreter.start(
        "boards_ends", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, folder=str(tmp_path), only=only
    ) as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == code, output
    reset = tmp_path / "reset"
    assert (reset.read_text() if reset.exists() else None) == cause


@pytest.mark.parametrize("interpreter", ["micropython", "micropython32"], indirect=True)
def test_chips(interpreter, tmp_path):
    if interpreter.name == "micropython32":
        interpreter.command[-1] = "heapsize=64K"  # the chip that is played takes some of it
    interpreter.run("boards_chip", folder=str(tmp_path))
