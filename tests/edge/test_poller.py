"""The controller's poller on a real pty, against emulated devices with the timing of the wire."""

import asyncio

from tests.edge.pole_bus import PoleBus


def test_it_tells_what_the_devices_hold(interpreter, tmp_path):
    """Each value that is told is one that the device held then, and every point is told."""
    bus = PoleBus(tmp_path)

    async def scene(bus):
        await bus.until(lambda told: {(device, point) for _, device, point, *_ in told} == bus.points)

    asyncio.run(bus.run(interpreter, scene))
    held = {each.name: each for each in bus.emulated}
    for time_ms, device, point, value, _ in bus.told():
        assert value in held[device].held(point, time_ms, 600), (device, point)
    assert len(bus.points) >= 60
    print(
        bus.port.account.violations,
        bus.port.account.collisions,
        bus.port.account.broken,
        len(bus.port.account.journal),
        len(bus.plan),
    )
