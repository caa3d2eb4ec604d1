"""All that hangs on wires in a run: one site file a district, its secrets, and the networks and mains that can fail."""

import secrets
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, Self

import yaml

from pole.broker import free_port
from pole.demo.folder import OPERATOR
from pole.fleet.depth_controller import ControllerWires
from pole.fleet.depth_devices import Acts, Source, WireDevice
from pole.fleet.depth_gateway import GatewayWires
from pole.fleet.depth_plan import Node, city_of, nodes
from pole.fleet.depth_proxy import Proxy
from simulators.network import LORA_USER


class WireSite:
    """Use it as `async with`. devices: by "pole/device". proxies: by node."""

    def __init__(
        self,
        *,
        order: Mapping[str, Any],
        folder: Path,
        passwords: Mapping[str, str],
        acts: Acts,
        source_of: Callable[[str], Source],
    ) -> None:
        """folder: takes the site files, the secrets and the ports. source_of: of a device "pole/device"."""
        self.folder = folder
        self._city = city_of(order)
        self._nodes = nodes(order, self._city)
        self._passwords = passwords
        self._camera_password = secrets.token_urlsafe(12)
        self._make = partial(_made, acts, source_of, order["seed"])
        host, port = order["broker"]["host"], order["broker"].get("plain_port", order["broker"]["port"])
        self._broker_url = f"mqtt://{host}:{port}"
        self.proxies = {node.name: Proxy(host=host, port=port) for node in self._nodes}
        self.wires: dict[str, GatewayWires | ControllerWires] = {}
        self._running = AsyncExitStack()

    async def __aenter__(self) -> Self:
        (self.folder / "ports").mkdir(parents=True, exist_ok=True)
        for number, node in enumerate(self._nodes, 1):
            proxy = await self._running.enter_async_context(self.proxies[node.name])
            wires = self._wires(number, node, f"mqtt://{proxy.host}:{proxy.port}")
            self.wires[node.name] = await self._running.enter_async_context(wires)
        self._write()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._running.aclose()

    @property
    def devices(self) -> dict[str, WireDevice]:
        return {device.name: device for wires in self.wires.values() for device in wires.devices}

    def site(self, area: str) -> dict[str, Any]:
        """The site file of a district."""
        here = [self.wires[node.name] for node in self._nodes if node.area == area]
        names = self._city.names
        return {
            "area": area,
            "gateways": {each.node.name: each.gateway() for each in here if isinstance(each, GatewayWires)},
            "controllers": {each.node.name: each.controller() for each in here if isinstance(each, ControllerWires)},
            "poles": {
                names[index]: {"position": [float(self._city.north[index]), float(self._city.east[index])]}
                for each in here
                for index in each.node.poles
            },
            "buses": {name: bus for each in here for name, bus in each.buses().items()},
            "devices": [entry for each in here for entry in each.entries()],
        }

    def _wires(self, number: int, node: Node, broker: str) -> GatewayWires | ControllerWires:
        common: dict[str, Any] = {
            "node": node, "city": self._city, "make": self._make, "broker": broker,
            "folder": self.folder / "ports",
        }  # fmt: skip
        if node.kind == "controller":
            return ControllerWires(root=self.folder / node.name, **common)
        return GatewayWires(
            number=number, free_port=free_port, lora=(self._broker_url, self._passwords[LORA_USER]),
            camera_password=self._camera_password, **common,
        )  # fmt: skip

    def _write(self) -> None:
        """The operator's password is there for `pole send --site`."""
        known = {name: self._passwords[name] for name in (*self.proxies, OPERATOR) if name in self._passwords}
        for name, secret in {**known, "cameras": self._camera_password}.items():
            path = self.folder / f"{name}.password"
            path.touch(mode=0o600)
            path.write_text(secret + "\n", encoding="utf-8")
        for area in {node.area for node in self._nodes}:
            text = yaml.safe_dump(self.site(area), allow_unicode=True, sort_keys=False)
            site_file(self.folder, area).write_text(text, encoding="utf-8")


def site_file(folder: Path, area: str) -> Path:
    return folder / f"site-{area}.yaml"


def _made(acts: Acts, source_of: Callable[[str], Source], seed: int, **device: Any) -> WireDevice:
    source = source_of(f"{device['pole']}/{device['name']}")
    return WireDevice(acts=acts, source=source, seed=seed, **device)
