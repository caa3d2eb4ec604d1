"""Packs as the collector writes them are packs of the contract."""

from edge import collector


class Clock:
    boot = 7

    def __init__(self, now):
        self.at = now

    def now(self):
        return self.at

    def ms(self):
        return 1000


class Board:
    def __init__(self):
        self.at = 1000

    def ms(self):
        return self.at


class Journal:
    def __init__(self):
        self.packs = []
        self.full = False

    def append(self, body, readings, base_ms, boot, event):
        if self.full:
            raise OSError(28)
        self.packs.append((str(bytes(body), "utf-8"), readings, base_ms, boot, event))


def made(now=1763683200250):
    clock, board, journal = Clock(now), Board(), Journal()
    return collector.Collector(board, clock, journal), clock, board, journal


def test_base_name_and_time_stand_once(args):
    it, clock, board, journal = made()
    it.add("P0001/air-1", "pm2_5", '"v":35.2')
    it.add("P0001/air-1", "pm10", '"v":61')
    clock.at += 1250
    it.add("P0001/cover-1", "open", '"vb":true')
    it.flush()
    assert journal.packs == [
        (
            '"bn":"P0001/air-1/","n":"pm2_5","v":35.2},{"n":"pm10","v":61},'
            '{"bn":"P0001/cover-1/","n":"open","t":1.250,"vb":true}]',
            3, 1763683200250, 0, False,
        )
    ]  # fmt: skip


def test_only_what_was_read_of_a_device_proves_that_a_release_can_read(args):
    it, _, _, _ = made()
    it.add("P0001/lamp-1", "level", '"v":40', read=False)
    it.add("P0001/air-1", "pm2_5", '"q":"timeout"')
    assert not it.sensed
    it.add("P0001/air-1", "pm2_5", '"v":35.2')
    assert it.sensed


def test_a_clock_that_is_set_back_gives_a_negative_offset(args):
    it, clock, board, journal = made()
    it.add("P/d", "a", '"v":1')
    clock.at -= 2005
    it.add("P/d", "a", '"v":2')
    it.flush()
    assert journal.packs[0][0].endswith('{"n":"a","t":-2.005,"v":2}]')


def test_telemetry_waits_for_company_a_second_at_most(args):
    it, clock, board, journal = made()
    it.add("P/d", "a", '"v":1')
    board.at += 999
    it.due()
    assert not journal.packs
    board.at += 1
    it.due()
    it.due()
    assert len(journal.packs) == 1


def test_an_event_goes_at_once_and_by_itself(args):
    it, clock, board, journal = made()
    it.add("P/d", "a", '"v":1')
    it.add("P/d", "sos", '"vb":true', True)
    assert [(pack[1], pack[4]) for pack in journal.packs] == [(1, False), (1, True)]


def test_a_pack_never_outgrows_its_buffer(args):
    it, clock, board, journal = made()
    for index in range(100):
        it.add("P0001/meter-%d" % (index // 3), "energy_import", '"v":%d' % index)
    it.flush()
    assert sum(pack[1] for pack in journal.packs) == 100
    assert max(len(pack[0]) for pack in journal.packs) <= collector.SIZE
    assert it.unspooled == 0


def test_before_the_time_is_known_a_pack_has_the_boards_milliseconds(args):
    it, clock, board, journal = made(None)
    it.add("P/d", "a", '"v":1')
    clock.at = 1763683200000
    it.add("P/d", "a", '"v":2')
    it.flush()
    assert [pack[2:4] for pack in journal.packs] == [(1000, 7), (1763683200000, 0)]


def test_a_full_disk_costs_what_it_does_not_take_and_is_counted(args):
    it, clock, board, journal = made()
    journal.full = True
    it.add("P/d", "a", '"v":1')
    it.flush()
    journal.full = False
    it.add("P/d", "a", '"v":2')
    it.flush()
    assert it.unspooled == 1
    assert journal.packs[0][0] == '"bn":"P/d/","n":"a","v":2}]'
