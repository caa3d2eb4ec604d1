"""aiomqtt as a node needs it: what the broker refuses is no success, and a session always ends."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import aiomqtt
import structlog
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

log = structlog.get_logger("uplink")

ACK_S = 10.0  # a broker that takes longer to acknowledge is taken for dead


class Client(aiomqtt.Client):
    """aiomqtt takes every PUBACK for a success; a refusal (not authorised, quota) must not confirm a pack."""

    def _on_publish(self, client: Any, userdata: Any, mid: int, reason: ReasonCode, properties: Properties) -> None:
        if reason.is_failure:
            log.error("the broker refused a message: look at its ACL and at this node's identity", reason=str(reason))
            return  # publish() times out, the connection is made again, the pack stays
        super()._on_publish(client, userdata, mid, reason, properties)


async def apart(session: Coroutine[Any, Any, None]) -> None:
    """Awaits it in a task of its own: there an error on the way out can hide a cancellation, here it cannot."""
    task = asyncio.create_task(session, name="session")
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=ACK_S)
        if not task.cancelled():
            task.exception()  # of no use to anyone any more, and asyncio would complain about it
        raise
    task.result()


def explained(group: BaseExceptionGroup[BaseException]) -> str:
    """The error within a group, in words that say what to do."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    said = str(error) or type(error).__name__
    refused = any(
        f"code:{code}" in said for code in (134, 135)
    )  # MQTT 5, 3.2.2.2: bad user name or password, not authorized
    return f"{said}: look at the node's user, its password_file, and the broker's password file" if refused else said
