"""Wi-Fi base stations: who is near uses them, and their counters run."""

import numpy as np

from simulators.world.arrays import BoolArray, FloatArray, IntArray
from simulators.world.kits import KITS
from simulators.world.noise import chance
from simulators.world.present import STEP_S, Present

_JOIN = 0.3  # of the people in sight
_MOST = 200.0  # clients that a station takes
_DOWN_BIT_S, _UP_BIT_S = 150_000.0, 30_000.0  # a client's average
_LINE_BIT_S = 300e6  # of the uplink


class Wifi:
    """Offers wifi_clients, wifi_octets_in (from the uplink), wifi_octets_out and uplink_up."""

    def __init__(self, *, present: Present) -> None:
        self._present = present
        with_station = [number for number, kit in enumerate(KITS) if kit.device("wifi")]
        self._at: IntArray = np.flatnonzero(np.isin(present.city.kit, with_station))
        self._in: FloatArray = np.floor(4e12 * chance(present.seed, "octets", self._at))
        self._out: FloatArray = np.floor(0.2 * self._in)
        self._clients: FloatArray = np.zeros(len(self._at))
        self._up: BoolArray = np.ones(present.city.poles, dtype=np.bool_)
        present.offer(
            wifi_clients=lambda: self._spread(self._clients), uplink_up=lambda: self._up.astype(np.float64),
            wifi_octets_in=lambda: self._spread(self._in), wifi_octets_out=lambda: self._spread(self._out),
        )  # fmt: skip

    def advance(self, powered: BoolArray, reachable: BoolArray) -> None:
        self._up = powered & reachable
        people = self._present["people"][self._at]
        self._clients = np.minimum(np.floor(_JOIN * people), _MOST) * powered[self._at]
        flows = self._clients * self._up[self._at] * (STEP_S / 8.0)
        most = _LINE_BIT_S * STEP_S / 8.0
        self._in += np.floor(np.minimum(flows * _DOWN_BIT_S, most))
        self._out += np.floor(np.minimum(flows * _UP_BIT_S, most))

    def _spread(self, values: FloatArray) -> FloatArray:
        out = self._present.everywhere(0.0)
        out[self._at] = values
        return out
