"""As much of the agent as an update sees."""

from edge import update


class Agent:
    """Board, link, session and collector in one."""

    name = "esp32"

    def __init__(self, guard, publish):
        self.guard = guard
        self.chunk = self.release = None
        self.resets = 0
        self.said = {"release_refused": {"version": "0.0.1", "reason": "of an earlier one"}}
        self.board = self.link = self.session = self.collector = self
        self.publish = publish

    def tell(self):
        pass

    def flush(self):
        pass

    def reset(self):
        self.resets += 1


async def outcome(agent, payload, go_on=lambda: True):
    """What became of it: nothing (the controller is reset), "same", "paused", or why it is refused. Raises OSError.

    payload: True: what was begun.
    """
    agent.release = payload
    wait = await update.run(agent, go_on)
    assert agent.chunk is None
    if agent.release is not None:
        if wait:
            raise OSError("later")
        return "paused"
    if agent.resets:
        return ""
    return agent.said["release_refused"]["reason"] if "release_refused" in agent.said else "same"
