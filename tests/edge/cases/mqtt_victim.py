"""Ends as planned, comes back, says so, and waits to be killed."""

import asyncio

import mqtt_rig as rig


async def test_waits(args):
    it = rig.client(args)
    await it.connect(b"left by a planned end")
    await rig.say(it, b"planned", "status")
    await it.close()
    await it.connect(b"died")
    print("connected")
    await asyncio.sleep(60)
