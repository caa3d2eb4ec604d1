from gateway.clock import GRID_MS, Clock, Stamps


class Wall:
    def __init__(self, ms):
        self.ms = ms

    def __call__(self):
        return self.ms * 1_000_000


def known(wall, **memory):
    clock = Clock(wall_ns=wall, **memory)
    clock.believe(None)
    return clock


def test_a_clock_that_is_set_back_gives_stamps_that_were_never_given():
    wall = Wall(1_800_000_000_000)
    clock = known(wall)
    seen = set()
    for _ in range(9):
        wall.ms = 1_800_000_000_000  # set back to the same instant again and again
        for _ in range(100):
            wall.ms += GRID_MS
            stamp = clock.now_ms()
            assert stamp not in seen
            assert abs(stamp - wall.ms) < GRID_MS
            seen.add(stamp)
    assert clock.set_back == 8


def test_a_clock_that_was_set_back_while_the_gateway_was_down():
    wall = Wall(1_800_000_000_000)
    before = known(wall)
    given = before.now_ms()
    wall.ms -= 50
    after = known(wall, last_ms=before.last_ms, set_back=before.set_back)
    stamps = set()
    for _ in range(20):
        stamps.add(after.now_ms())
        wall.ms += 10
    assert given not in stamps
    assert after.set_back == 1


def test_two_readings_of_one_point_in_one_grid_step_keep_two_stamps():
    stamps = Stamps()
    assert stamps.unlike("P1/a", "x", 1_800_000_000_000) == 1_800_000_000_000
    assert stamps.unlike("P1/a", "x", 1_800_000_000_000) == 1_800_000_000_010
    assert stamps.unlike("P1/a", "y", 1_800_000_000_000) == 1_800_000_000_000
    assert stamps.unlike("P1/a", "x", 1_800_000_000_010) == 1_800_000_000_020
