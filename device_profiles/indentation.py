"""Mistakes of a whole block of lines, which would otherwise be a message for each of them."""

from collections.abc import Iterator, Mapping
from typing import get_args, get_origin

from pydantic import BaseModel

from device_profiles.wording import Fault, Keys

MAX_NAMED = 4
Model = type[BaseModel]


def faults(model: Model, data: Mapping[str, object]) -> list[Fault]:
    """The first (key path, text) where the file is another kind of file, or lines stand where they do not belong."""
    if data and not data.keys() & model.model_fields.keys():
        text = f"no key of a {model.__name__.lower()} stands here, but {_some(list(data))}."
        return [((), f"{text} It begins with {_some(list(model.model_fields))}. Is this the right file?")]
    first = next(_misplaced(model, data, ()), None)
    return [first] if first is not None else []


def _misplaced(model: Model, data: Mapping[str, object], keys: Keys) -> Iterator[Fault]:
    """Lines that stand one level too far out, or too far in."""
    strangers = [key for key, value in data.items() if key not in model.model_fields and isinstance(value, Mapping)]
    for key, value in data.items():
        held = _held(model, key)
        if held is None:
            continue
        if value is None and strangers:
            yield (*keys, strangers[0]), _beside(strangers, key)
        if not isinstance(value, Mapping):
            continue
        yield from _among(model, held[0], value, (*keys, key))
        for name, inner in value.items():
            if held[0] is not None and isinstance(inner, Mapping):
                yield from _misplaced(held[0], inner, (*keys, key, name))


def _among(owner: Model, inner: Model | None, names: Mapping[str, object], keys: Keys) -> Iterator[Fault]:
    """What stands among names though it is none: a key of what is named, or of what holds them all."""
    fields = inner.model_fields if inner is not None else {}
    empty = [name for name in names if names[name] is None and name not in owner.model_fields]
    known = [name for name in names if name in fields and not _fits(names[name], fields)]
    if known:
        above = next((name for name in reversed(list(names)[: list(names).index(known[0])])), None)
        yield (*keys, known[0]), _beside(known, empty[0]) if empty else _too_far_out(known[0], keys, above)
    for name, value in names.items():
        if inner is not None and (other := _another(owner, inner, value)):
            text = f"this is one of {other}, but stands under {keys[-1]}. Write the line `{other}:` above it."
            yield (*keys, name), text
        elif name in owner.model_fields and isinstance(name, str) and not _fits(value, fields):
            text = (
                f"{name} stands among {keys[-1]}, but belongs beside them: indent its line like that of '{keys[-1]}'."
            )
            yield (*keys, name), text


def _another(owner: Model, inner: Model, value: object) -> str:
    """The key under which a mapping would fit, where it does not fit here."""
    if not isinstance(value, Mapping) or value.keys() <= inner.model_fields.keys():
        return ""
    for name in owner.model_fields:
        held = _held(owner, name)
        if held and held[0] is not None and held[0] is not inner and value.keys() <= held[0].model_fields.keys():
            return name
    return ""


def _fits(value: object, fields: Mapping[str, object]) -> bool:
    return isinstance(value, Mapping) and bool(value.keys() & fields.keys())


def _held(model: Model, key: str) -> tuple[Model | None] | None:
    """The model of each value (None: it is plain), where a key holds a mapping of names; None where it does not."""
    field = model.model_fields.get(key)
    if field is None or get_origin(field.annotation) is not dict:
        return None
    inner = get_args(field.annotation)[1]
    return (inner if isinstance(inner, type) and issubclass(inner, BaseModel) else None,)


def _too_far_out(name: str, keys: Keys, above: str | None) -> str:
    if above is None:
        return f"{name} stands where a name is expected: the name of what it belongs to is missing above it."
    return f"{name} stands among the names of {keys[-1]}: indent its line by two blanks more, below '{above}'."


def _beside(lines: list[str], above: str) -> str:
    each = "its line" if len(lines) == 1 else "their lines"
    stand = "stands" if len(lines) == 1 else "stand"
    return f"{_some(lines)} {stand} beside '{above}', which is empty. Indent {each} by two blanks more, below it."


def _some(names: list[str]) -> str:
    return ", ".join(names[:MAX_NAMED]) + (f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else "")
