"""Mistakes of a whole block of lines, which would otherwise be a message for each of them."""

from collections.abc import Iterator, Mapping
from typing import get_args, get_origin

from pydantic import BaseModel

from device_profiles.wording import Fault

MAX_NAMED = 4


def faults(model: type[BaseModel], data: Mapping[str, object]) -> list[Fault]:
    """(key path, text) where the file is another kind of file, or lines stand beside what they belong below."""
    if data and not data.keys() & model.model_fields.keys():
        text = f"no key of a {model.__name__.lower()} stands here, but {_some(list(data))}."
        return [((), f"{text} It begins with {_some(list(model.model_fields))}. Is this the right file?")]
    return list(_beside(model, data))


def _beside(model: type[BaseModel], data: Mapping[str, object]) -> Iterator[Fault]:
    strangers = [key for key, value in data.items() if key not in model.model_fields and isinstance(value, Mapping)]
    for key in data:
        inner = _held(model, key)
        if inner is None:
            continue
        value = data[key]
        if value is None and strangers:
            yield (strangers[0],), _text(strangers, key)
            return
        empty = [name for name in value if value[name] is None] if isinstance(value, Mapping) else []
        known = [name for name in value if name in inner.model_fields] if isinstance(value, Mapping) else []
        if empty and known:
            yield (key, known[0]), _text(known, empty[0])


def _held(model: type[BaseModel], key: str) -> type[BaseModel] | None:
    """The model of each value, where a key holds a mapping of names to models."""
    field = model.model_fields.get(key)
    if field is None or get_origin(field.annotation) is not dict:
        return None
    inner = get_args(field.annotation)[1]
    return inner if isinstance(inner, type) and issubclass(inner, BaseModel) else None


def _text(lines: list[str], above: str) -> str:
    each = "its line" if len(lines) == 1 else "their lines"
    stand = "stands" if len(lines) == 1 else "stand"
    return f"{_some(lines)} {stand} beside '{above}', which is empty. Indent {each} by two blanks more, below it."


def _some(names: list[str]) -> str:
    return ", ".join(names[:MAX_NAMED]) + (f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else "")
