import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.disk.spool import Spool, SpoolError, SpoolFull
from gateway.disk.spool_file import PAGE
from wire import packs

MEGABYTE = 1 << 20
T0 = 1_763_683_200_000


def readings(count, start=T0):
    return [("P0001/air-1", f"p{index % 30}", start + index, 0.1 + index, None) for index in range(count)]


def open_spool(folder, megabytes=8):
    return Spool(path=folder / "gw.db", max_bytes=megabytes * MEGABYTE)


def invariant(spool):
    state = spool.state()
    rows = spool._db.execute("SELECT count(*) FROM packs").fetchone()[0]
    assert rows == state.pending
    assert state.head == state.stored + state.pending + sum(state.dropped.values())
    return state


def test_a_pack_has_its_number_and_is_there_after_a_restart(tmp_path):
    spool = open_spool(tmp_path)
    assert spool.append(event=False, readings=readings(3)) == [1]
    assert spool.append(event=True, readings=readings(2), last_ms=77, set_back=3) == [2]
    epoch = spool.epoch
    spool.close()
    spool = open_spool(tmp_path)
    state = invariant(spool)
    assert (state.epoch, state.head, state.pending, state.readings) == (epoch, 2, 2, 5)
    assert (state.last_ms, state.set_back) == (77, 3)
    kept = spool.telemetry(after=0, before=99, limit=9)
    assert [pack.number for pack in kept] == [1]
    decoded = packs.decode(kept[0].body)
    assert (decoded.epoch, decoded.number) == (epoch, 1)
    assert [(f"{r[0]}/{r[1]}", *r[2:6]) for r in decoded.readings] == readings(3)
    assert [pack.number for pack in spool.events(after=0, limit=9)] == [2]


def test_only_what_is_named_leaves(tmp_path):
    spool = open_spool(tmp_path)
    for _ in range(10):
        spool.append(event=False, readings=readings(1))
    assert spool.confirm("00000000", [[1, 10]]) == 0  # another epoch's numbers
    assert spool.confirm(spool.epoch, [[2, 3], [7, 7], [11, 5000]]) == 3
    assert spool.confirm(spool.epoch, [[2, 3]]) == 0  # said twice, counted once
    assert [pack.number for pack in spool.telemetry(after=0, before=99, limit=99)] == [1, 4, 5, 6, 8, 9, 10]
    assert invariant(spool).stored == 3
    spool.confirm(spool.epoch, [[1, 10]])
    assert spool.append(event=False, readings=readings(1)) == [11]  # numbers are never given again


def test_too_much_for_one_pack_becomes_several_and_one_bad_reading_spoils_no_other(tmp_path):
    spool = open_spool(tmp_path)
    assert len(spool.append(event=False, readings=readings(2500))) >= 3
    numbers = spool.append(
        event=False, readings=[*readings(5), ("P0001/air-1", "x", T0, float("nan"), None), *readings(5)]
    )
    kept = [packs.decode(spool.pack(number).body) for number in numbers]
    assert sum(len(pack.readings) for pack in kept) == 10
    assert invariant(spool).readings == 2510


def test_when_full_the_oldest_telemetry_goes_and_no_event(tmp_path):
    spool = open_spool(tmp_path, megabytes=1)
    events = spool.append(event=True, readings=readings(5))
    last = 0
    while spool.state().dropped.get("full", 0) < 500:
        last = spool.append(event=False, readings=readings(50))[-1]
    events += spool.append(event=True, readings=readings(5))
    state = invariant(spool)
    assert state.bytes <= MEGABYTE
    left = [pack.number for pack in spool.telemetry(after=0, before=1 << 40, limit=100_000)]
    assert left == list(range(left[0], last + 1)), "what is left is the newest, without holes"
    assert [pack.number for pack in spool.events(after=0, limit=10)] == events
    spool.confirm(spool.epoch, [[1, last]])
    spool.append(event=False, readings=readings(50))
    assert invariant(spool).dropped == state.dropped, "with room again nothing more is dropped"


def test_a_spool_full_of_events_refuses_and_keeps_them_all(tmp_path):
    spool = open_spool(tmp_path, megabytes=1)
    numbers = []
    while spool.state().bytes < MEGABYTE - 2 * PAGE:
        numbers += spool.append(event=True, readings=readings(20))
    with pytest.raises(SpoolFull):
        spool.append(event=True, readings=readings(900))
    with pytest.raises(SpoolFull):
        spool.append(event=False, readings=readings(900))
    assert [pack.number for pack in spool.events(after=0, limit=100_000)] == numbers
    assert invariant(spool).dropped == {}


def test_two_gateways_cannot_share_a_spool(tmp_path):
    spool = open_spool(tmp_path)
    spool.append(event=False, readings=readings(1))
    with pytest.raises(SpoolError, match="another gateway"):
        Spool(path=tmp_path / "gw.db", max_bytes=MEGABYTE)
    assert not list(tmp_path.glob("*.damaged*")), "a spool in use is not damaged"


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SpoolError, match=r"no-such-folder.*check its folder"):
        Spool(path=tmp_path / "no-such-folder" / "gw.db", max_bytes=MEGABYTE)


def fill(folder, count=400):
    spool = open_spool(folder)
    for index in range(count):
        spool.append(event=index % 10 == 0, readings=readings(20, T0 + index * 1000))
    spool.confirm(spool.epoch, [[1, 50]])
    epoch = spool.epoch
    spool.close()
    return epoch


@pytest.mark.parametrize("damage", ["truncated", "half-empty", "garbage", "zeroed-page", "empty"])
def test_a_damaged_file_is_set_aside_and_what_can_be_read_goes_on_under_a_new_epoch(tmp_path, damage):
    epoch = fill(tmp_path)
    path = tmp_path / "gw.db"
    size = path.stat().st_size
    with path.open("r+b") as file:
        if damage == "truncated":
            file.truncate(size - size // 3)
        elif damage == "half-empty":
            file.seek(size // 2)
            file.write(bytes(size - size // 2))
        elif damage == "garbage":
            file.write(os.urandom(100))
        elif damage == "zeroed-page":
            file.seek(20 * PAGE)
            file.write(bytes(PAGE))
        else:
            file.truncate(0)
    spool = open_spool(tmp_path)
    state = invariant(spool)
    assert state.epoch != epoch
    numbers = spool.append(event=False, readings=readings(3))
    assert numbers == [state.head + 1]
    if damage in ("truncated", "half-empty", "zeroed-page"):
        assert list(tmp_path.glob("gw.db.damaged-*"))
    if damage == "zeroed-page":
        assert state.pending > 250, "one bad page costs its own packs"
        assert state.pending + state.dropped.get("damaged", 0) == 350
    for pack in [*spool.telemetry(after=0, before=1 << 40, limit=9999), *spool.events(after=0, limit=9999)]:
        assert packs.decode(pack.body).epoch == state.epoch


def test_a_damaged_pack_on_a_disk_that_takes_nothing_hides_no_other(tmp_path):
    spool = open_spool(tmp_path)
    for index in range(3):
        spool.append(event=False, readings=readings(2, T0 + index * 1000))
    spool._db.execute("UPDATE telemetry SET crc = crc + 1 WHERE sq = 2")
    spool._db.commit()
    spool._db.execute("PRAGMA query_only = 1")
    assert [pack.number for pack in spool.telemetry(after=0, before=99, limit=99)] == [1, 3]
    spool._db.execute("PRAGMA query_only = 0")
    assert [pack.number for pack in spool.telemetry(after=0, before=99, limit=99)] == [1, 3]
    assert invariant(spool).dropped == {"damaged": 1}


DYING = """
import os, sys
from pathlib import Path
from gateway.disk.spool import Spool
left, replace, commits = int(sys.argv[2]), os.replace, 0
def dies(*files):
    global left
    left -= 1
    if left < 0:
        os._exit(9)
    replace(*files)
os.replace = dies
if left < 0:
    Spool._fill = lambda *_: os._exit(9)
Spool(path=Path(sys.argv[1]), max_bytes=8 << 20)
"""


def test_kill_9_while_a_damaged_file_is_replaced_loses_nothing_that_could_be_read(tmp_path):
    (tmp_path / "good").mkdir()
    fill(tmp_path / "good")
    with (tmp_path / "good" / "gw.db").open("r+b") as file:
        file.seek(20 * PAGE)
        file.write(bytes(PAGE))
    died = saved = 0
    for step in range(-1, 9):
        folder = tmp_path / str(step)
        shutil.copytree(tmp_path / "good", folder)
        (folder / "gw.db-wal").touch()  # as a power cut leaves it
        end = subprocess.run([sys.executable, "-c", DYING, str(folder / "gw.db"), str(step)], timeout=30).returncode
        assert end in (0, 9)
        died += end == 9
        spool = open_spool(folder)
        state = invariant(spool)
        spool.close()
        saved = saved or state.pending
        assert (state.pending, state.dropped) == (saved, {"damaged": 350 - saved}), step
        assert len(list(folder.glob("gw.db.damaged-????????"))) == 1
        assert not list(folder.glob("*.new*"))
        if end == 0:
            break
    assert died >= 3
    assert saved > 250


def test_a_flipped_bit_in_a_pack_is_found_and_costs_that_pack_alone(tmp_path):
    fill(tmp_path, 80)
    db = sqlite3.connect(tmp_path / "gw.db")
    body = bytearray(db.execute("SELECT body FROM telemetry WHERE sq = 62").fetchone()[0])
    body[len(body) // 2] ^= 0x10
    db.execute("UPDATE telemetry SET body = ? WHERE sq = 62", (bytes(body),))
    db.commit()
    db.close()
    spool = open_spool(tmp_path)
    numbers = [pack.number for pack in spool.telemetry(after=0, before=99, limit=99)]
    assert numbers == [n for n in range(51, 81) if n != 62 and n % 10 != 1]
    assert invariant(spool).dropped == {"damaged": 1}


WRITER = """
import sys
from pathlib import Path
from gateway.disk.spool import Spool
spool = Spool(path=Path(sys.argv[1]), max_bytes=64 << 20)
number = 0
while True:
    readings = [("P0001/air-1", "x", 1763683200000 + number, number, None)] * 20
    for number in spool.append(event=number % 7 == 0, readings=readings):
        print(number, flush=True)
    if number % 20 == 0:
        spool.confirm(spool.epoch, [[number - 15, number - 10]])
"""


def test_kill_9_at_any_instant_loses_no_number_that_was_given(tmp_path):
    random_source = random.Random(7)
    path = tmp_path / "gw.db"
    seen = 0
    for _ in range(15):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        said = [writer.stdout.readline()]
        time.sleep(random_source.uniform(0, 0.15))
        writer.send_signal(signal.SIGKILL)
        said += writer.communicate()[0].split("\n")
        numbers = [int(line) for line in said if line.strip()]
        spool = Spool(path=path, max_bytes=64 << 20)
        state = invariant(spool)
        # what was printed is durable; at most one commit more had reached the disk unsaid
        assert numbers[0] == seen + 1
        assert numbers[-1] <= state.head <= numbers[-1] + 1
        seen = state.head
        spool.close()
    assert not list(tmp_path.glob("*.damaged*"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.floats(0, 1), torn=st.booleans())
def test_a_torn_write_ahead_log_leaves_whole_packs_only(tmp_path, cut, torn):
    shutil.rmtree(tmp_path / "copy", ignore_errors=True)
    (tmp_path / "copy").mkdir()
    source = tmp_path / "source"
    if not source.exists():
        source.mkdir()
        spool = open_spool(source)
        for index in range(40):
            spool.append(event=False, readings=readings(20, T0 + index * 1000))
        for ending in ("", "-wal"):  # as a power cut would leave them: not closed, not checkpointed
            shutil.copy(source / f"gw.db{ending}", tmp_path / f"saved{ending}")
        spool.close()
    for ending in ("", "-wal"):
        shutil.copy(tmp_path / f"saved{ending}", tmp_path / "copy" / f"gw.db{ending}")
    with (tmp_path / "copy" / "gw.db-wal").open("r+b") as log:
        size = log.seek(0, 2)
        at = int(size * cut)
        if torn:
            log.seek(at)
            log.write(os.urandom(min(512, size - at)))
        else:
            log.truncate(at)
    spool = open_spool(tmp_path / "copy")
    state = invariant(spool)
    for pack in spool.telemetry(after=0, before=99, limit=99):
        assert len(packs.decode(pack.body).readings) == 20
    assert spool.append(event=False, readings=readings(1)) == [state.head + 1]
    spool.close()


FULL_DISK = """
import os, sys
from pathlib import Path
from gateway.disk.spool import Spool, SpoolFull
folder = Path(sys.argv[1])
hog = folder / "hog"
spool = Spool(path=folder / "gw.db", max_bytes=64 << 20)
reading = lambda n: [("P0001/air-1", "x", 1763683200000 + n, n, None)] * 50
events = []
for n in range(100):
    events += spool.append(event=True, readings=reading(n)) if n % 20 == 0 else []
    spool.append(event=False, readings=reading(n))
with hog.open("wb", buffering=0) as file:  # somebody else takes the rest of the disk
    try:
        while True:
            file.write(bytes(4096))
    except OSError:
        pass
refused = 0
for n in range(3000):
    try:
        spool.append(event=False, readings=reading(n))
    except SpoolFull:
        refused += 1
state = spool.state()
assert state.head == state.stored + state.pending + sum(state.dropped.values()), state
assert state.dropped.get("full", 0) > 0, state
assert [p.number for p in spool.events(after=0, limit=100)] == events
hog.unlink()
before = spool.state().dropped
for n in range(200):
    spool.append(event=False, readings=reading(n))
assert spool.state().dropped == before, (before, spool.state())
spool.close()
spool = Spool(path=folder / "gw.db", max_bytes=64 << 20)
assert spool.state().head == spool.state().pending + sum(before.values())
print("refused", refused, "dropped", before)
"""


DAMAGED_AND_FULL = """
import sys
from pathlib import Path
from gateway.disk.spool import Spool, SpoolError
from gateway.disk.spool_file import BALLAST_BYTES, PAGE
folder = Path(sys.argv[1])
spool = Spool(path=folder / "gw.db", max_bytes=64 << 20)
for n in range(500):
    spool.append(event=False, readings=[("P0001/air-1", "x", 1763683200000 + n, n, None)] * 200)
size, pending = spool.state().bytes, spool.state().pending
assert size > 1.5 * BALLAST_BYTES, size
spool.close()
with (folder / "gw.db").open("r+b") as file:
    file.seek(size // PAGE // 2 * PAGE)
    file.write(bytes(8 * PAGE))  # so many that not all of them are a body's end, where zeros are found by its CRC alone
hog = folder / "hog"
with hog.open("wb", buffering=0) as file:
    try:
        while True:
            file.write(bytes(4096))
    except OSError:
        pass
for _ in range(2):
    try:
        Spool(path=folder / "gw.db", max_bytes=64 << 20)
    except SpoolError as error:
        assert "make room" in str(error), error
    else:
        raise AssertionError("there is no room")
hog.unlink()
state = Spool(path=folder / "gw.db", max_bytes=64 << 20).state()
assert state.pending > pending - 20 and state.pending + state.dropped["damaged"] == pending, (state, pending)
print("saved", state.pending)
"""


def test_a_damaged_spool_on_a_full_disk_waits_for_room(tmp_path):
    assert "saved" in on_a_small_disk(tmp_path, DAMAGED_AND_FULL)


def test_a_full_disk_costs_the_oldest_telemetry_and_recovers(tmp_path):
    assert "dropped" in on_a_small_disk(tmp_path, FULL_DISK)


def on_a_small_disk(tmp_path, program):
    """What the program prints whose only argument is a folder of 6 MB."""
    # A file system of our own, in a mount namespace that ends with the command; as root, or by user namespaces.
    script = f'mount -t tmpfs -o size=6m none {tmp_path} && exec {sys.executable} -c "$0" {tmp_path}'
    flags = ["-m"] if os.geteuid() == 0 else ["-Urm"]
    can = subprocess.run(["unshare", *flags, "true"], capture_output=True)
    if can.returncode and os.environ.get("CI") != "true":
        pytest.skip("a file system of limited size needs root or user namespaces here")
    done = subprocess.run(["unshare", *flags, "sh", "-c", script, program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_of_the_files_set_aside_the_newest_three_stay(tmp_path):
    for _ in range(5):
        spool = open_spool(tmp_path)
        spool.append(event=False, readings=readings(3))
        spool.close()
        with (tmp_path / "gw.db").open("r+b") as file:
            file.write(os.urandom(100))
    open_spool(tmp_path).close()
    assert len(list(tmp_path.glob("gw.db.damaged-????????"))) == 3


def test_a_spool_that_is_full_on_a_disk_with_room_leaves_the_ballast_alone(tmp_path):
    ballast = tmp_path / "gw.db.ballast"
    spool = open_spool(tmp_path, megabytes=1)
    before = ballast.stat()
    while not spool.state().dropped:
        spool.append(event=False, readings=readings(50))
    assert (ballast.stat().st_ino, ballast.stat().st_mtime) == (before.st_ino, before.st_mtime)
    ballast.unlink()
    spool.close()
    open_spool(tmp_path).close()
    assert ballast.stat().st_size == 1 << 20, "taken again"
