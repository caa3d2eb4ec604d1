"""Devices that left a site stay announced until their last reading is stored, also over a restart."""

import random

from gateway import announced as announced_devices
from gateway.announced import Announced

A, B, C = (("P1", name, "xy-md03") for name in "abc")
A_ANEW = ("P1", "a", "sdm120")


def left(announced):
    return [each.named for each in announced.former]


def forget(announced, *, oldest, head=100, epoch="e1", unclocked=False):
    return announced.forget(epoch=epoch, head=head, oldest=oldest, unclocked=unclocked)


def test_a_device_is_forgotten_with_its_last_pack(tmp_path):
    announced = Announced(tmp_path / "gw.db")
    announced.change([A, B], epoch="e1", head=0)
    announced.change([B], epoch="e1", head=10)
    announced.change([C], epoch="e1", head=20)
    assert left(announced) == [A, B]
    assert not forget(announced, oldest=10)
    assert forget(announced, oldest=11)
    assert left(announced) == [B]
    assert forget(announced, oldest=101)
    assert left(announced) == []


def test_a_device_that_becomes_another_is_both_and_one_that_comes_back_is_one(tmp_path):
    announced = Announced(tmp_path / "gw.db")
    announced.change([A], epoch="e1", head=0)
    announced.change([A_ANEW], epoch="e1", head=10)
    assert left(announced) == [A]
    announced.change([A], epoch="e1", head=20)
    assert left(announced) == [A_ANEW]


def test_what_left_while_the_gateway_was_off_is_known(tmp_path):
    Announced(tmp_path / "gw.db").change([A, B], epoch="e1", head=0)
    again = Announced(tmp_path / "gw.db")
    again.change([B], epoch="e1", head=7)
    assert left(again) == [A]
    assert left(Announced(tmp_path / "gw.db")) == [A]
    assert not forget(again, oldest=7)
    assert forget(again, oldest=8)


def test_numbers_of_a_damaged_spool_and_readings_without_a_time_are_waited_for(tmp_path):
    announced = Announced(tmp_path / "gw.db")
    announced.change([A], epoch="e1", head=0)
    announced.change([], epoch="e1", head=10)
    assert not forget(announced, oldest=1, head=5, epoch="e2"), "its packs have new numbers now, up to 5"
    assert not forget(announced, oldest=6, head=5, epoch="e2", unclocked=True), "they will have numbers above 5"
    assert not forget(announced, oldest=6, head=9, epoch="e2"), "they have them now, up to 9"
    assert forget(announced, oldest=10, head=20, epoch="e2")


def test_the_list_is_bounded_and_a_damaged_file_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(announced_devices, "MOST", 20)
    announced = Announced(tmp_path / "gw.db")
    for index in range(25):
        announced.change([("P1", f"d{index}", "xy-md03")], epoch="e1", head=index)
    assert len(announced.former) == 20
    path = tmp_path / "gw.db.announced.json"
    content = bytearray(path.read_bytes())
    content[random.Random(1).randrange(len(content))] ^= 4
    path.write_bytes(content)
    assert left(Announced(tmp_path / "gw.db")) == []
