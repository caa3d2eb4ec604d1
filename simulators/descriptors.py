"""How many nodes the open-file limit allows: each is a socket of the emulator, and one of the broker."""

import resource

SPARE = 100  # files of a process that are no node's: its database, logs, listeners, other clients


class TooManyNodes(Exception):
    """The limit does not allow them; the message says what would."""


def allowed() -> int:
    """How many nodes one process may hold, once the soft limit is raised."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return 10**9 if most == resource.RLIM_INFINITY else max(0, most - SPARE)


def make_room(nodes: int, *, option: str) -> None:
    """Raises the limit of this process, and so of those that it starts, as far as it may. Raises TooManyNodes.

    option: what says how many they are, for the message.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < nodes + SPARE:
        hard = _raised(nodes + SPARE, hard)
    if nodes > allowed():
        raise TooManyNodes(
            f"{option}: {nodes} nodes are {nodes} connections, and each process may have {hard} files open here (ulimit"
            f" -Hn): at most {allowed()} nodes. Write {option} {allowed()}, or raise the limit and start again, as with"
            f" `ulimit -n {nodes + SPARE}` as root or LimitNOFILE={nodes + SPARE} of a systemd unit."
        )
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _raised(wanted: int, hard: int) -> int:
    """The hard limit after root has tried to raise it; others may not."""
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
    except (OSError, ValueError):
        return hard
    return wanted
