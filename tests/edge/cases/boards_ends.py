"""What ends the process: a reset, and a watchdog that was not fed; each test is run by itself."""

import time

from edge.boards.simulated import Board


def test_reset(args):
    Board({}, args["folder"]).reset()


def test_watchdog_fed(args):
    feed = Board({"watchdog": 2000}, args["folder"]).watchdog()
    for _ in range(3):
        feed()
        time.sleep(0.7)  # the machine may take a second in between
    feed()


def test_watchdog_starved(args):
    Board({"watchdog": 1000}, args["folder"]).watchdog()()
    while True:  # a task that hangs: nothing else gets its turn
        pass
