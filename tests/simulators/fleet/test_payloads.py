"""The fast text of a pack against the contract's own encoder and decoder."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.fleet.payloads import Payloads
from simulators.sensing.columns import Column
from wire import packs


def column(device, point, decimals=0, kind="number"):
    return Column(
        device=device, profile="p", point=point, function="air", unit="", kind=kind, decimals=decimals, event=False
    )


COLUMNS = (
    column("lamp-1", "level"), column("lamp-1", "on", kind="bool"), column("air-1", "temperature", 1),
    column("air-1", "pm2_5", 3), column("cover-1", "open", kind="bool"),
)  # fmt: skip


def read(name, time_ms, raw, quality):
    """The same readings as wire.packs has them."""
    for at, told, code in zip(COLUMNS, raw, quality, strict=True):
        value = bool(told) if at.kind == "bool" else told / 10**at.decimals
        yield (
            name, at.device, at.point, time_ms, None if code else value, packs.QUALITIES[code - 1] if code else None
        )  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 99999), st.integers(1, 2**50), st.integers(2**28 * 1000, 2**33 * 1000),
            st.lists(st.integers(-(10**9), 10**9), min_size=5, max_size=5),
            st.lists(st.sampled_from((0, 0, 0, 1, 3, 4)), min_size=5, max_size=5),
        ),
        min_size=1, max_size=4,
    )
)  # fmt: skip
def test_a_pack_says_what_was_read(rows):
    names = [f"P{pole:05}" for pole, *_ in rows]
    raw = np.array([[abs(x) % 2 if c.kind == "bool" else x for c, x in zip(COLUMNS, r[3], strict=True)] for r in rows])
    quality = np.array([row[4] for row in rows], dtype=np.uint8)
    bodies = Payloads(COLUMNS).rows(
        names, ["0123abcd"] * len(rows), [row[1] for row in rows], [row[2] for row in rows], raw, quality
    )
    for index, body in enumerate(bodies):
        pack = packs.decode(body)
        assert (pack.epoch, pack.number, pack.refused) == ("0123abcd", rows[index][1], [])
        wanted = list(read(names[index], rows[index][2], raw[index].tolist(), quality[index].tolist()))
        assert [reading[:6] for reading in pack.readings] == wanted


def test_a_number_has_the_digits_that_its_device_shows():
    raw, quality = np.array([[5, 1, -3, 7, 0]]), np.zeros((1, 5), dtype=np.uint8)
    (body,) = Payloads(COLUMNS).rows(["P00001"], ["0123abcd"], [1], [1763683200007], raw, quality)
    assert b'"bt":1763683200.007,"ep":"0123abcd","sq":1,"n":"level","v":5}' in body
    assert b'{"bn":"P00001/air-1/","n":"temperature","v":-0.3},{"n":"pm2_5","v":0.007}' in body
