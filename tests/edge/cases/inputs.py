"""Contacts: settled, latched, told at once."""

from edge.inputs import Inputs


class Bench:
    """A board whose time and contacts the test moves, and a collector that remembers."""

    def __init__(self, event=True, **config):
        self.now, self.levels, self.interrupt, self.told = 1000, {"sos": 0}, {}, []
        config["inputs"] = [["P0001/sos", "pressed", "sos", event]]
        self.inputs = Inputs(config, self, self)

    def ms(self):
        return self.now

    def input(self, name):
        return lambda: self.levels[name]

    def on_change(self, name, function):
        self.interrupt[name] = function

    def add(self, device, point, field, event=False):
        self.told.append((self.now, device + "." + point + " " + field, event))

    def go(self, level, ms, step=20):
        """The contact stays so for ms, and is sampled meanwhile."""
        self.levels["sos"] = level
        for _ in range(ms // step):
            self.now += step
            self.inputs.sample()

    def edge(self):
        self.interrupt["sos"](None)

    def values(self):
        return [field.split(":")[1] for _, field, _ in self.told]


def test_told_at_the_start_and_after_silence(args):
    bench = Bench(silence=10)
    bench.go(0, 35_000)
    assert bench.told[0] == (1020, 'P0001/sos.pressed "vb":false', False)
    assert [time for time, _, _ in bench.told] == [1020, 11020, 21020, 31020]
    assert not any(event for _, _, event in bench.told)


def test_silence_is_five_minutes_where_it_is_left_out(args):
    bench = Bench()
    bench.go(0, 300_000)
    assert len(bench.told) == 1
    bench.go(0, 100)
    assert len(bench.told) == 2


def test_a_change_is_an_event_at_once(args):
    bench = Bench()
    bench.go(0, 200)
    bench.go(1, 200)
    assert bench.told[1:] == [(1240, 'P0001/sos.pressed "vb":true', True)], "with the second equal sample"
    bench.go(0, 200)
    assert bench.told[2:] == [(1440, 'P0001/sos.pressed "vb":false', True)]


def test_a_change_of_a_contact_without_urgency_is_no_event(args):
    bench = Bench(event=False)
    bench.go(0, 200)
    bench.go(1, 200)
    assert bench.values() == ["false", "true"]
    assert not any(event for _, _, event in bench.told)


def test_a_press_of_40_ms_is_on_and_off(args):
    bench = Bench()
    bench.go(0, 200)
    bench.go(1, 40)
    bench.go(0, 200)
    assert bench.values() == ["false", "true", "false"]


def test_a_spike_in_one_sample_is_nothing(args):
    bench = Bench()
    bench.go(0, 200)
    bench.go(1, 20)
    bench.go(0, 200)
    assert bench.values() == ["false"]


def test_an_interrupt_and_one_sample_are_enough(args):
    bench = Bench()
    bench.go(0, 200)
    bench.edge()
    bench.go(1, 20)
    bench.edge()
    bench.go(0, 200)
    assert bench.values() == ["false", "true", "false"]


def test_an_interrupt_between_samples_in_time_is_noise(args):
    bench = Bench()
    bench.go(0, 200)
    bench.edge()
    bench.go(0, 200)
    assert bench.values() == ["false"]


def test_a_press_while_the_loop_was_busy_is_on_and_off(args):
    bench = Bench()
    bench.go(0, 200)
    bench.edge()  # both edges came while nothing was sampled
    bench.edge()
    bench.go(0, 500, step=500)
    bench.go(0, 200)
    assert bench.values() == ["false", "true", "false"]
    assert [event for _, _, event in bench.told] == [False, True, True]
    times = [time for time, _, _ in bench.told]
    assert len(set(times)) == 3, "one time stamp is one reading"


def test_a_release_while_the_loop_was_busy_is_told(args):
    bench = Bench()
    bench.go(1, 200)
    bench.edge()
    bench.edge()
    bench.go(1, 500, step=500)
    bench.go(1, 200)
    assert bench.values() == ["true", "false", "true"]


def test_chatter_is_bounded_and_the_end_is_told(args):
    bench = Bench(silence=100_000)
    for _ in range(500):  # 40 s at 12.5 Hz
        bench.go(1, 40)
        bench.go(0, 40)
    assert 20 <= len(bench.told) <= 26, len(bench.told)
    bench.go(1, 15_000)
    assert bench.values()[-1] == "true"
    for _ in range(30):  # a minute and more later it may be told often again
        bench.go(1, 10_000)
    before = len(bench.told)
    for _ in range(5):
        bench.go(0, 100)
        bench.go(1, 100)
    assert len(bench.told) == before + 10


def test_runs(args):
    return runs()


async def runs():
    import asyncio

    bench = Bench()
    beats = []

    def beat():
        bench.now += 20
        beats.append(bench.now)
        bench.levels["sos"] = 1 if len(beats) > 3 else 0

    task = asyncio.create_task(bench.inputs.run(beat))
    for _ in range(1000):
        await asyncio.sleep(0.01)
        if len(bench.told) == 2:
            break
    task.cancel()
    assert bench.values() == ["false", "true"]
