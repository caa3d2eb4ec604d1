"""`pole profile try`: a profile against a device, live."""

from pathlib import Path
from typing import Annotated

import typer

File = Annotated[Path, typer.Argument(help="The profile's file.")]


def try_profile(file: File) -> None:
    """Read a device as a profile says: raw words beside values."""
