"""`pole profile new`: a draft of a profile, from the nearest device or from a maker's register table."""

from typing import Annotated

import typer

Name = Annotated[str, typer.Argument(help="The profile's name, which is its file's.")]


def new(name: Name) -> None:
    """Begin a profile, from a like device or from a maker's register table."""
