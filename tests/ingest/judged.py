"""Packs as ingest has judged them, made from rows."""

from ingest.accept import Accepted
from ingest.rows import Names


def judged(node, number, rows, *, area="a", names=None, refused=(), **more):
    """The pack of that number whose good readings are these rows."""
    rows = list(rows)
    runs = (names or Names()).runs(rows)
    return Accepted(area, node, "9f3c21aa", number, runs, len(rows), refused=list(refused), **more)
