import asyncio

import aiomqtt
import pytest

from pole.demo import nodes


class Dying:
    """A client whose way out fails, as aiomqtt's does where the broker dies meanwhile."""

    def __init__(self, *arguments, **more):
        self.messages = self._messages()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        raise aiomqtt.MqttError("Disconnected")

    async def subscribe(self, *arguments, **more):
        pass

    async def _messages(self):
        await asyncio.Event().wait()
        yield


def test_a_broker_that_dies_hides_no_cancellation(monkeypatch):
    monkeypatch.setattr(nodes.aiomqtt, "Client", Dying)

    async def scene():
        watching = asyncio.create_task(nodes.Nodes(port=1, password="").run())
        await asyncio.sleep(0.05)
        watching.cancel()
        await asyncio.wait([watching], timeout=2)
        assert watching.done()
        with pytest.raises(asyncio.CancelledError):
            await watching

    asyncio.run(scene())
