"""A journal with a clock and a board that do as they are told."""

import json
import os
import struct

from edge.clock import Clock
from edge.journal import Journal
from edge.segments import HEAD

UTC = 1_763_683_200_250


class Board:
    """Milliseconds since power-on, and the time, as they are set."""

    def __init__(self, folder, utc=None):
        self.folder = folder
        self.now = 1000
        self.utc = utc

    def ms(self):
        return self.now

    def utc_ms(self):
        return self.utc and self.utc + self.now

    def set_utc_ms(self, ms):
        self.utc = ms - self.now


class Node:
    """What an agent has of the journal; start() is a start after a power cut."""

    def __init__(self, folder, size=32 * 1024, utc=UTC):
        self.folder = folder
        self.size = size
        self.start(utc)

    def start(self, utc=UTC):
        self.board = Board(self.folder, utc)
        self.clock = Clock(self.board, {"ntp": "somewhere"})
        self.journal = Journal(self.board, {"journal": self.size}, self.clock)

    def append(self, value, event=False, length=0):
        """A pack of one reading, stamped as the collector does."""
        now = self.clock.now()
        boot = self.clock.boot if now is None else 0
        return self.journal.append(body(value, length), 1, self.clock.ms() if boot else now, boot, event)

    def take(self, wait=0):
        """(channel, number, what it says) of the next pack, after so many milliseconds, or None."""
        self.board.now += wait
        pack = self.journal.next(self.board.now)
        if pack is None:
            return None
        channel, size, chunks = pack
        data = b"".join([bytes(chunk) for chunk in chunks])
        assert len(data) == size, (len(data), size)
        records = json.loads(data)
        assert records[0]["ep"] == self.journal.epoch
        return channel, records[0]["sq"], data

    def packs(self):
        """(number, what would be sent) of all packs that wait and have a time."""
        for row in (self.journal.events, self.journal.telemetry):
            number = row.find(0)
            while number:
                known = self.clock.time(struct.unpack_from("<I", HEAD, 12)[0], 0)
                pack = known and self.journal.read(row)
                if pack:
                    yield number, b"".join([bytes(chunk) for chunk in pack[1]])
                number = row.find(number)

    def waiting(self, what=None):
        """Number -> value; what: a function of what would be sent, instead."""
        out = {}
        for number, data in self.packs():
            out[number] = (what or value_of)(data)
        return out

    def counts(self):
        """(head, stored, pending, dropped), which add up."""
        state = self.journal.state()
        dropped = sum(state["dropped"].values())
        assert state["head"] == state["stored"] + state["pending"] + dropped, state
        assert min(state["stored"], state["pending"], dropped) >= 0, state
        return state["head"], state["stored"], state["pending"], dropped


def body(value, length=0):
    return ('"bn":"P0001/air-1/","n":"pm2_5","v":%s,"x":"%s"}]' % (value, "." * length)).encode()


def value_of(data):
    """Of a pack with one reading."""
    return json.loads(data)[-1]["v"]


def time_of(data):
    """(ms since 1970, whether it is told as an estimate) of a pack with one reading."""
    at = data.index(b'"bt":') + 5
    end = data.index(b",", at)
    seconds, _, ms = str(data[at:end], "utf-8").partition(".")
    return int(seconds) * 1000 + int(ms), b'"q":"clock"' in data


def fresh(args, name):
    """An empty folder."""
    folder = args["folder"] + "/" + name
    os.mkdir(folder)
    return folder
