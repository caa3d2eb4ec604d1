"""pydantic's errors in the words of a field engineer: one message for one mistake."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sized
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

Keys = tuple[str | int, ...]
Fault = tuple[Keys, str]

MAX_SHOWN = 80  # characters of a bad value
_PATTERNS = {
    "^[A-Za-z0-9]": "a name has 1 to 64 of the characters A-Z a-z 0-9 . _ -, the first a letter or a digit",
    "^[a-z]": "a name here has 1 to 48 of the characters a-z 0-9 _, the first a letter",
}
_KINDS: dict[str, str] = {
    "int": "a whole number", "float": "a number", "string": "a text", "bool": "true or false",
    "dict": "a mapping (lines of `key: value`)", "model": "a mapping (lines of `key: value`)",
    "mapping": "a mapping (lines of `key: value`)", "list": "a list (lines that begin with `- `)",
    "tuple": "a list, as in [1, 2]",
}  # fmt: skip


def faults(model: type[BaseModel], data: object, error: ValidationError) -> list[Fault]:
    """A validation error -> (key path, text) for each mistake; an unknown key that is a missing one misspelt is one."""
    errors = error.errors(include_url=False)
    paths = [_path(model, found["loc"]) for found in errors]
    missing = {keys for keys, found in zip(paths, errors, strict=True) if found["type"] == "missing"}
    misspelt: dict[Keys, Keys] = {}
    for keys, found in zip(paths, errors, strict=True):
        if found["type"] == "extra_forbidden":
            wanted = [str(other[-1]) for other in missing if other[:-1] == keys[:-1] and other not in misspelt.values()]
            near = difflib.get_close_matches(str(keys[-1]), wanted, n=1)
            if near:
                misspelt[keys] = (*keys[:-1], near[0])
    out: dict[Fault, None] = {}
    for keys, found in zip(paths, errors, strict=True):
        if keys not in misspelt.values():
            # A list that is too short is wrong as a whole: the item that is not there has no line.
            whole = keys[:-1] if found["type"] == "missing" and isinstance(keys[-1], int) else keys
            written = found["input"] if found["loc"][-1:] == ("[key]",) else _written(data, whole, found["input"])
            out[(whole, _text(model, keys, found, written, misspelt.get(keys)))] = None
    return list(out)


def key_path(keys: Keys) -> str:
    """("devices", 3, "unit") -> "devices[3].unit"."""
    out = ""
    for key in keys:
        out += f"[{key}]" if isinstance(key, int) else f".{key}" if out else str(key)
    return out


def kind(value: object) -> str:
    """What a value from a file is, in words."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    return "a text" if isinstance(value, str) else "a number"


def shown(value: object) -> str:
    """A bad value as it is quoted in a message."""
    if isinstance(value, (Mapping, list, tuple)) or value is None:
        return kind(value)
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def suggestion(wrong: object, known: Iterable[str]) -> str:
    """` Did you mean 'xy-md03'?`, or nothing where no known word is near."""
    near = difflib.get_close_matches(str(wrong), list(known), n=1, cutoff=0.6)
    return f" Did you mean '{near[0]}'?" if near else ""


def choices(words: Iterable[object]) -> str:
    """1, 2 -> "1 or 2"."""
    texts = [str(word) for word in words]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"


def _written(data: object, keys: Keys, otherwise: object) -> object:
    """The value as the file has it, before a validator changed it ("0s", not 0.0)."""
    for key in keys:
        try:
            data = data[key]  # type: ignore[index]
        except (LookupError, TypeError):
            return otherwise
    return data


def _text(model: type[BaseModel], keys: Keys, found: Any, value: object, misspelt: Keys | None) -> str:
    name, ctx = found["type"], found.get("ctx", {})
    if name == "extra_forbidden":
        return _unknown_key(model, keys, misspelt)
    if name == "missing":
        return "is missing." if isinstance(keys[-1], str) else _too_few(model, keys)
    if name == "literal_error":
        return _not_a_choice(value, ctx["expected"])
    if name in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        return f"{shown(value)} is out of range: allowed is {_bounds(model, keys, ctx)}."
    if name == "string_pattern_mismatch":
        rule = next((rule for start, rule in _PATTERNS.items() if ctx["pattern"].startswith(start)), ctx["pattern"])
        return f"{shown(value)} is not allowed: {rule}."
    if name == "value_error":
        return f"{shown(value)}: {ctx['error']}." if not isinstance(value, Mapping) else f"{ctx['error']}."
    if name in ("too_short", "string_too_short"):
        return f"{shown(value)} is too short: at least {ctx['min_length']}."
    if name == "too_long":
        return f"has {len(value) if isinstance(value, Sized) else 'too many'} values: at most {ctx['max_length']}."
    if name == "finite_number":
        return f"{shown(value)} is not allowed: write a finite number."
    wanted = next((words for start, words in _KINDS.items() if name.startswith(start)), None)
    if wanted is None:
        return f"{shown(value)}: {found['msg']}."
    if value is None:
        return f"is empty: write {wanted}, or leave the line out."
    quotes = ": put it in quotes" if name == "string_type" and isinstance(value, (int, float)) else ""
    return f"{shown(value)} is not {wanted}{quotes}."


def _unknown_key(model: type[BaseModel], keys: Keys, misspelt: Keys | None) -> str:
    owner = _walk(model, keys[:-1])[0]
    known = list(owner.model_fields) if isinstance(owner, type) and issubclass(owner, BaseModel) else []
    if misspelt:
        return f"unknown key. Did you mean '{misspelt[-1]}'?"
    hint = suggestion(keys[-1], known)
    return f"unknown key.{hint}" if hint else f"unknown key. Known are {', '.join(known)}."


def _too_few(model: type[BaseModel], keys: Keys) -> str:
    wanted = len(get_args(_walk(model, keys[:-1])[0]))
    return f"too few values: write {wanted}, as in [{', '.join(str(index + 1) for index in range(wanted))}]."


def _not_a_choice(value: object, expected: str) -> str:
    words = re.findall(r"'([^']*)'", expected) or re.findall(r"-?\d+", expected)
    return f"{shown(value)} is not one of {choices(words)}.{suggestion(value, words)}"


def _bounds(model: type[BaseModel], keys: Keys, ctx: Mapping[str, Any]) -> str:
    limits = dict(ctx)
    for part in _walk(model, keys)[1]:
        limits.update({name: getattr(part, name) for name in ("gt", "ge", "lt", "le") if hasattr(part, name)})
    if "ge" in limits and "le" in limits:
        return f"{limits['ge']} to {limits['le']}"
    signs = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
    return " and ".join(f"{signs[name]} {limits[name]:g}" for name in ("gt", "ge", "lt", "le") if name in limits)


def _path(model: type[BaseModel], loc: tuple[str | int, ...]) -> Keys:
    """pydantic's location without the steps that are no keys of the file (the arm of a union, `[key]`)."""
    keys: Keys = ()
    for step in loc:
        if step == "[key]" or (isinstance(step, str) and step in _arms(_walk(model, keys)[0])):
            continue
        keys = (*keys, step)
    return keys


def _arms(annotation: Any) -> list[str]:
    return [arm.__name__ for arm in _models(annotation)] if get_origin(annotation) in (Union, UnionType) else []


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    for arm in get_args(annotation):
        plain = get_args(arm)[0] if get_origin(arm) is Annotated else arm
        if isinstance(plain, type) and issubclass(plain, BaseModel):
            yield plain


def _walk(model: Any, keys: Keys) -> tuple[Any, list[object]]:
    """The annotation, and its constraints, that stand at a key path."""
    annotation: Any = model
    constraints: list[object] = []
    for key in keys:
        annotation, constraints = _step(annotation, key)
    return annotation, constraints


def _step(annotation: Any, key: str | int) -> tuple[Any, list[object]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(key))
        return _plain(field) if isinstance(field, FieldInfo) else (None, [])
    args = get_args(annotation)
    if get_origin(annotation) is dict:
        return _unwrap(args[1])
    if get_origin(annotation) in (list, tuple):
        index = key if isinstance(key, int) and len(args) > key and args[-1] is not Ellipsis else 0
        return _unwrap(args[index])
    for arm in _models(annotation) if args else ():
        if str(key) in arm.model_fields:
            return _step(arm, key)
    return None, []


def _plain(field: FieldInfo) -> tuple[Any, list[object]]:
    annotation, inner = _unwrap(field.annotation)
    return annotation, [*field.metadata, *inner]


def _unwrap(annotation: Any) -> tuple[Any, list[object]]:
    constraints: list[object] = []
    while get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        constraints.extend(more)
    if get_origin(annotation) in (Union, UnionType) and type(None) in get_args(annotation):
        arms = [arm for arm in get_args(annotation) if arm is not type(None)]
        if len(arms) == 1:
            return _unwrap(arms[0])
    return annotation, constraints
