"""Kinds of values that several keys of a site file take."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

BAUD_RATES = (1200, 2400, 4800, 9600, 14400, 19200, 38400, 57600, 115200, 230400)


def _beside(path: object, info: ValidationInfo) -> Path:
    # A relative path counts from the site file's folder, wherever the command is started.
    if not isinstance(path, str | Path):
        raise ValueError("the name of a file is a text; a number stands in quotes")
    folder = (info.context or {}).get("folder", Path())
    return Path(folder, path)


def _standard(baud: int) -> int:
    if baud not in BAUD_RATES:
        near = min(BAUD_RATES, key=lambda known: abs(known - baud))
        raise ValueError(
            f"not a standard baud rate; allowed are {', '.join(map(str, BAUD_RATES))}. Did you mean {near}?"
        )
    return baud


def broker_address(text: str) -> str:
    """mqtt://host:port or mqtts://host:port. Raises ValueError."""
    parts = urlsplit(text)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.path not in ("", "/") or parts.username:
        raise ValueError("a broker is mqtt://host:port or mqtts://host:port, without user or path")
    _ = parts.port  # raises ValueError where it is no port
    return text


def _listening(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("where to listen is host:port, as in 0.0.0.0:9002")
    return text


FilePath = Annotated[Path, BeforeValidator(_beside, json_schema_input_type=str)]
Baud = Annotated[int, AfterValidator(_standard)]
Listen = Annotated[str, AfterValidator(_listening)]
Broker = Annotated[str, AfterValidator(broker_address)]
Port = Annotated[str, Field(pattern=r"^/\S+$", description="the device's file, best /dev/serial/by-id/…")]
Parity = Literal["none", "even", "odd"]
