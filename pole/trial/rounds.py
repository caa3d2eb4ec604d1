"""Rounds of a trial, one after another, as a person or a program wants to see them."""

import asyncio
import contextlib
import json
import sys

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from device_profiles.schema import Profile
from pole.trial import view
from pole.trial.outcome import Round
from pole.trial.way import Trial, Way


async def shown(way: Way, profile: Profile, *, once: bool, as_json: bool, pause: float) -> Round:
    """The last round. Without `once` it goes on until it is cancelled. pause: seconds. Raises ValueError."""
    async with way.open() as trial:
        if not as_json:
            print(f"{profile.profile} at {way.where}")
        if once or as_json or not sys.stdout.isatty():
            return await _printed(way, profile, trial, once=once, as_json=as_json, pause=pause)
        return await _live(way, profile, trial, pause)


async def _printed(way: Way, profile: Profile, trial: Trial, *, once: bool, as_json: bool, pause: float) -> Round:
    console = Console(highlight=False, soft_wrap=False)
    while True:
        done = await trial.round()
        if as_json:
            print(json.dumps(view.document(profile, done) | {"at": way.where}, ensure_ascii=False), flush=True)
        else:
            console.print(view.table(profile, done))
            for line in way.advice(done):
                console.print(line, markup=False)
        if once:
            return done
        await asyncio.sleep(pause)


async def _live(way: Way, profile: Profile, trial: Trial, pause: float) -> Round:
    done = Round()
    with Live(Text("asking …"), auto_refresh=False) as screen, contextlib.suppress(asyncio.CancelledError):
        while True:
            done = await trial.round()
            advice = [Text(line) for line in (*way.advice(done), "", "Ctrl-C ends")]
            screen.update(Group(view.table(profile, done), *advice), refresh=True)
            await asyncio.sleep(pause)
    return done
