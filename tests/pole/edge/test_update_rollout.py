"""Whom a rollout tells what and when: nodes in virtual time, from which it hears what real ones say."""

import itertools

import pytest

from pole.edge import rollout_view
from pole.edge.rollout import Plan, Rollout
from pole.edge.update import share

OLD, NEW = "0.1.0", "0.2.0"
PLAN = {
    "version": NEW, "board": "esp32", "sha": "00112233", "size": 5000, "trial": 600, "canary": 0.05, "wave": 0.25,
    "watch": 300.0, "patience": 900.0,
}  # fmt: skip


class Node:
    """A node as seen from the broker. how: what becomes of it with the release."""

    def __init__(self, name, how="good", version=OLD, state="settled", **status):
        self.name, self.how = name, how
        self.offered, self.since = False, 0
        about = {"board": "esp32", "state": state}
        self.status = {"online": True, "version": version, "stored": 10, "release": about, **status}

    def told(self, what, now):
        self.offered, self.since = what != "withdraw", now
        if what in ("withdraw", "renew"):
            self.status.pop("release_refused", None)

    def live(self, rollout, now):
        """What it does and says in this minute."""
        if self.offered and "release_refused" not in self.status:
            self._go_on(rollout, now, now - self.since)
        if self.status["version"] == OLD or self.how != "stores nothing":
            self.status = {**self.status, "stored": self.status["stored"] + 1}
        rollout.status(self.name, self.status, now)

    def _go_on(self, rollout, now, age):
        if self.how == "refuses":
            self.status = {**self.status, "release_refused": {"version": NEW, "reason": "space"}}
        elif self.how == "leaves":
            self.status = {**self.status, "online": False}
        elif age < 180 and self.how != "silent":
            offset = 0 if age < 60 else 2000 if age < 120 or self.how == "stops fetching" else 4600
            assert rollout.fetch(self.name, {"sha": "00112233", "offset": offset, "length": 512}, now)
        elif self.how == "dies":
            self.status = {**self.status, "online": False}
        elif self.how == "returns" or (self.how == "comes back" and age > 1000):
            self._runs(OLD, "returned", release_refused={"version": NEW, "reason": "failed"})
        elif self.how not in ("silent", "stops fetching"):
            self._runs(NEW, "trial" if age < 300 or self.how == "never confirmed" else "settled")

    def _runs(self, version, state, **more):
        self.status = {**self.status, "version": version, "release": {"board": "esp32", "state": state}, **more}


def begin(nodes, **changes):
    rollout = Rollout(Plan(**{**PLAN, **changes}))
    rollout.begin({node.name: node.status for node in nodes}, 0)
    return rollout


def play(rollout, nodes, minutes=1000):
    """All that was done, as (minute, action, node). Ends when it is finished or has stopped."""
    log = []
    for minute in range(minutes):
        for action, name in list(rollout.step(minute * 60.0)):
            log.append((minute, action, name))
            next(node for node in nodes if node.name == name).told(action, minute * 60.0)
        if rollout.stopped or rollout.finished:
            break
        for node in nodes:
            node.live(rollout, minute * 60.0 + 30)
    return log


def offers(log):
    """Names by the minute in which they were offered the release."""
    found = {}
    for minute, action, name in log:
        if action != "withdraw":
            found.setdefault(minute, []).append(name)
    return list(found.values())


def area(count, **hows):
    return [Node(f"ctl-{number}", hows.get(f"ctl_{number}", "good")) for number in range(1, count + 1)]


def test_canaries_go_first_and_each_wave_waits_for_the_one_before():
    nodes = area(40)
    rollout = begin(nodes)
    log = play(rollout, nodes)
    assert [len(wave) for wave in offers(log)] == [2, 10, 10, 10, 8]
    assert rollout.finished and not rollout.stopped  # noqa: PT018
    assert rollout_view.summary(rollout, interrupted=False)["state"] == "done"
    assert len(rollout.names("proved")) == 40
    minutes = sorted({minute for minute, action, _ in log if action == "offer"})
    assert all(
        later - earlier > 5 + 5 for earlier, later in itertools.pairwise(minutes)
    )  # until it is settled, and watched
    assert sorted(name for _, action, name in log if action == "withdraw") == rollout.names("proved")


def test_the_canaries_are_the_same_at_each_attempt_and_others_for_another_release():
    chosen = [
        tuple(offers(play(begin(area(40), **changes), area(40), 1))[0]) for changes in ({}, {}, {"version": "0.3.0"})
    ]
    assert chosen[0] == chosen[1] != chosen[2]


FAILURES = {
    "silent": "has not begun to fetch",
    "refuses": "refuses it: space",
    "stops fetching": "stopped fetching at 2000 of 5000",
    "dies": "did not come back",
    "never confirmed": "was not confirmed",
    "returns": "came back to 0.1.0",
    "stores nothing": "nothing of it is stored",
    "comes back": "came back to 0.1.0",
}


@pytest.mark.parametrize("how", FAILURES)
def test_it_stops_at_the_canary_that_does_not_work(how):
    nodes = area(40)
    first = offers(play(begin(nodes), area(40), 1))[0]
    for node in nodes:
        node.how = how if node.name == first[0] else "good"
    rollout = begin(nodes, watch=1500.0)
    log = play(rollout, nodes)
    assert offers(log) == [first]
    said = rollout_view.summary(rollout, interrupted=False)
    assert said["state"] == "stopped"
    assert list(said["failed"]) == [first[0]]
    assert FAILURES[how] in said["failed"][first[0]]
    assert len(said["not_begun"] + said["under_way"] + said["updated"]) == 39
    assert first[0] in rollout_view.text(said)


def test_where_one_fails_those_that_have_not_got_it_are_offered_nothing_any_more():
    nodes = area(20)
    names = offers(play(begin(nodes, canary=4), area(20), 1))[0]
    hows = dict(zip(names, ["refuses", "silent", "good", "stops fetching"], strict=True))
    for node in nodes:
        node.how = hows.get(node.name, "good")
    rollout = begin(nodes, canary=4)
    log = play(rollout, nodes)
    assert {name for _, action, name in log if action == "withdraw"} == set(names[1:])
    assert rollout.names("failed") == [names[0]]
    assert not rollout.fetch(names[3], {"sha": "00112233", "offset": 512, "length": 512}, 0)


def test_interrupted_and_run_again_it_goes_on():
    nodes = area(40)
    rollout = begin(nodes)
    play(rollout, nodes, 14)  # canaries have it, the next wave fetches or runs it
    assert rollout.wave == 2
    list(rollout.withdraw("offered"))
    said = rollout_view.summary(rollout, interrupted=True)
    assert said["state"] == "interrupted"
    again = begin(nodes)
    assert len(again.done) >= 2
    log = play(again, nodes)
    assert again.finished
    assert len(again.done) + len(again.names("proved")) == 40
    assert all(len(wave) <= 10 for wave in offers(log))
    assert rollout_view.summary(begin(nodes), interrupted=False)["state"] == "nothing to do"


def test_a_node_that_goes_on_fetching_from_an_earlier_attempt_is_served():
    nodes = area(40)
    rollout = begin(nodes)
    list(rollout.step(0))
    name = rollout.names("waiting")[0]
    assert rollout.fetch(name, {"sha": "00112233", "offset": 2560, "length": 512}, 1)
    assert name in rollout.names("fetching")
    assert not rollout.fetch(name, {"sha": "99999999", "offset": 2560, "length": 512}, 1)
    assert not rollout.fetch(name, {"sha": "00112233", "offset": 5000, "length": 512}, 1)
    assert not rollout.fetch("stranger", {"sha": "00112233", "offset": 0, "length": 512}, 1)


def test_what_came_back_before_is_tried_again_only_when_told():
    came_back = Node("ctl-3", state="returned", release_refused={"version": NEW, "reason": "failed"})
    nodes = [came_back, *area(2)]
    rollout = begin(nodes)
    assert play(rollout, nodes) == []
    assert "--again" in rollout_view.text(rollout_view.summary(rollout, interrupted=False))
    rollout = begin(nodes, skip=frozenset(["ctl-3"]))
    play(rollout, nodes)
    assert rollout_view.summary(rollout, interrupted=False)["state"] == "done"
    rollout = begin(nodes, again=True)
    assert [action for _, action, name in play(rollout, nodes) if name == "ctl-3"] == ["renew", "withdraw"]
    assert rollout.finished


def test_a_refusal_of_an_earlier_offer_is_not_taken_for_one_of_this():
    nodes = [Node("ctl-1", release_refused={"version": "", "reason": "signature"})]
    rollout = begin(nodes)
    list(rollout.step(0))
    rollout.status("ctl-1", nodes[0].status, 1)
    assert not rollout.stopped
    rollout.status("ctl-1", nodes[0].status, 61)  # it says so again
    assert rollout.stopped


def test_who_is_left_out():
    nodes = [
        Node("gateway"),
        Node("pico"),
        Node("away", online=False),
        Node("newer", version="0.10.0"),
        Node("has", version=NEW),
        Node("skipped"),
        Node("odd", version="unknown"),
        Node("on-trial", version=NEW, state="trial"),
    ]
    nodes[0].status.pop("release")
    nodes[1].status["release"] = {"board": "rp2", "state": "settled"}
    rollout = begin(nodes, skip=frozenset(["skipped"]))
    assert rollout.others == 2
    assert (rollout.away, rollout.newer, rollout.done, rollout.skipped) == (["away"], ["newer"], ["has"], ["skipped"])
    assert rollout.names("waiting", "trial") == ["odd", "on-trial"]
    assert rollout_view.summary(begin(nodes[:1]), interrupted=False)["state"] == "nothing to do"


def test_a_node_that_goes_away_before_its_wave_is_left_out():
    nodes = area(3)
    rollout = begin(nodes, canary=1, wave=1)
    play(rollout, nodes, 1)
    gone = rollout.names("waiting")
    for node in nodes:
        if node.name in gone:
            node.status = dict(node.status, online=False)
    play(rollout, nodes)
    assert sorted(rollout.away) == gone
    assert rollout_view.summary(rollout, interrupted=False)["state"] == "nodes are away"


def test_a_node_that_leaves_before_it_has_the_release_stops_nothing():
    nodes = area(20)
    nodes[5].how = "leaves"
    rollout = begin(nodes, canary=20)
    log = play(rollout, nodes)
    assert rollout.away == ["ctl-6"]
    assert [action for _, action, name in log if name == "ctl-6"] == ["offer", "withdraw"]
    assert rollout_view.summary(rollout, interrupted=False)["state"] == "nodes are away"
    assert len(rollout.names("proved")) == 19


def test_a_node_that_was_away_joins_in():
    nodes = area(3)
    nodes[2].status["online"] = False
    rollout = begin(nodes, canary=1, wave=1)
    assert rollout.away == ["ctl-3"]
    play(rollout, nodes, 12)
    nodes[2].status = {**nodes[2].status, "online": True}
    play(rollout, nodes)
    assert rollout.finished
    assert rollout.names("proved") == ["ctl-1", "ctl-2", "ctl-3"]


def test_shares():
    assert [share("--canary", text) for text in ("5%", "100%", "1", "12")] == [0.05, 1.0, 1, 12]
    plan = Plan(**PLAN)
    assert [plan.count(each, 40) for each in (0.05, 1.0, 0.001, 3)] == [2, 40, 1, 3]
    for bad in ("", "0", "0%", "101%", "5 %", "-1", "five", "1.5"):
        with pytest.raises(ValueError, match="--canary"):
            share("--canary", bad)
