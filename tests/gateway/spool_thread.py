"""A spool that an uplink uses at the same time."""


def on_its_thread(disk, call):
    """call(spool) where alone a spool may be used: from another thread it would meet half of a transaction."""
    return disk._thread.submit(call, disk.spool).result(timeout=20)
