"""pydantic's errors in the words of a field engineer: one message for one mistake."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from device_profiles.schema import duration_text, seconds

Keys = tuple[str | int, ...]
Fault = tuple[Keys, str]

MAX_SHOWN = 80  # characters of a bad value
_PATTERNS = {
    "^[A-Za-z0-9][": "a name has 1 to 64 of the characters A-Z a-z 0-9 . _ -, the first a letter or a digit",
    "^/": "a serial port is a path, best one of /dev/serial/by-id/",
    "^[A-Za-z0-9._:-]": "a host is a name or an address, without a port",
    "^[!-~]": "an address has 1 to 128 characters of ASCII, without blanks",
    "^[^#/]": "an application is one id of ChirpStack, or + for all",
    "^[A-Z]{2}": "a country has two capital letters, as in CN",
    "^([0-9a-f]": 'bytes are pairs of small hexadecimal digits with blanks between, in quotes, as in "24 00"',
    "^[a-z]": "a name here has 1 to 48 of the characters a-z 0-9 _, the first a letter",
}
_KINDS: dict[str, str] = {
    "int": "a whole number", "float": "a number", "string": "a text", "bool": "true or false",
    "dict": "a mapping (lines of `key: value`)", "model": "a mapping (lines of `key: value`)",
    "mapping": "a mapping (lines of `key: value`)", "list": "a list (lines that begin with `- `)",
    "tuple": "a list, as in [1, 2]",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the model, and in the file, an error stands."""

    keys: Keys  # pydantic's location without the steps that are no keys of the file (the arm of a union, `[key]`)
    owner: Any  # annotation of what holds the last key
    annotation: Any  # annotation of what stands there
    constraints: list[object]


def faults(model: type[BaseModel], data: object, error: ValidationError) -> list[Fault]:
    """A validation error -> (key path, text) for each mistake; an unknown key that is a missing one misspelt is one."""
    errors = [_at_protocol(found) for found in _without_echoes(error.errors(include_url=False))]
    places = [_place(model, found["loc"]) for found in errors]
    missing: dict[Keys, list[str]] = {}
    for place, found in zip(places, errors, strict=True):
        if _is_missing_key(place, found):
            missing.setdefault(place.keys[:-1], []).append(str(place.keys[-1]))
    out: dict[Fault, None] = {}
    for place, found in zip(places, errors, strict=True):
        if not _is_missing_key(place, found):
            out[_fault(place, found, data, missing.get(place.keys[:-1], []))] = None
    return [*out, *(_missing(keys, names) for keys, names in missing.items() if names)]


def _without_echoes(errors: Sequence[Any]) -> list[Any]:
    """A list whose only item is wrong is too short for pydantic as well."""
    locs = [found["loc"] for found in errors]

    def is_echo(found: Any) -> bool:
        loc = found["loc"]
        return found["type"] == "too_short" and any(loc == other[: len(loc)] for other in locs if other != loc)

    return [found for found in errors if not is_echo(found)]


def _at_protocol(found: Any) -> Any:
    # Which model of a union is meant follows from the key `protocol`.
    return found | {"loc": (*found["loc"], "protocol")} if found["type"] == "union_tag_invalid" else found


def _is_missing_key(place: _Place, found: Any) -> bool:
    return found["type"] == "missing" and isinstance(place.keys[-1], str)


def _missing(keys: Keys, names: list[str]) -> Fault:
    if len(names) == 1:
        return (*keys, names[0]), "is missing."
    return keys, f"{', '.join(names[:-1])} and {names[-1]} are missing."


def _fault(place: _Place, found: Any, data: object, missing: list[str]) -> Fault:
    """One error in words. An unknown key that is near a missing one is that one misspelt, and takes it off the list."""
    if found["type"] == "extra_forbidden":
        meant = difflib.get_close_matches(str(place.keys[-1]), missing, n=1)
        if meant:
            missing.remove(meant[0])
            return place.keys, f"unknown key. Did you mean '{meant[0]}'?"
    # A list that is too short is wrong as a whole: the item that is not there has no line.
    whole = place.keys[:-1] if found["type"] == "missing" else place.keys
    value = found["input"] if found["loc"][-1:] == ("[key]",) else _written(data, whole, found["input"])
    text = _text(place, found, value)
    return whole, text if text[-1] in ".?" else f"{text}."


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


def written(value: object) -> str:
    """A value as YAML writes it: true, null, 30.5, 'open'."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return repr(value)


def suggestion(wrong: object, known: Iterable[str]) -> str:
    """` Did you mean 'xy-md03'?`, or nothing where no known word is near."""
    near = difflib.get_close_matches(str(wrong), list(known), n=1, cutoff=0.6)
    return f" Did you mean '{near[0]}'?" if near else ""


def choices(words: Iterable[object]) -> str:
    """1, 2 -> "1 or 2"."""
    texts = [str(word) for word in words]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"


def _text(place: _Place, found: Any, value: object) -> str:
    name, ctx = found["type"], found.get("ctx", {})
    container = isinstance(value, (Mapping, list))
    if name == "extra_forbidden":
        return _unknown_key(place, value)
    if name == "missing":
        return _too_few(place)
    if name == "union_tag_invalid":
        known = {choice for arm in _arms(place.owner) for choice in get_args(arm.model_fields["protocol"].annotation)}
        return _not_a_choice(value, repr(sorted(known)))
    if name == "literal_error":
        return _not_a_choice(value, ctx["expected"])
    if name in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        return f"{shown(value)} is out of range: allowed is {_bounds(place, ctx)}"
    if name == "string_pattern_mismatch":
        rule = next((rule for start, rule in _PATTERNS.items() if ctx["pattern"].startswith(start)), ctx["pattern"])
        return f"{shown(value)} is not allowed: {rule}"
    if name == "value_error":
        return str(ctx["error"]) if container else f"{shown(value)}: {ctx['error']}"
    if name in ("too_short", "string_too_short"):
        what = " characters" if name == "string_too_short" else ""
        return f"{shown(value)} is too short: at least {ctx['min_length']}{what}"
    if name == "too_long":
        what = "keys" if isinstance(value, Mapping) else "values"
        return f"has {len(value) if isinstance(value, Sized) else 'too many'} {what}: at most {ctx['max_length']}"
    if name == "finite_number":
        return f"{shown(value)} is not allowed: write a finite number"
    return _wrong_kind(place, found, value)


def _wrong_kind(place: _Place, found: Any, value: object) -> str:
    name = found["type"]
    wanted = next((words for start, words in _KINDS.items() if name.startswith(start)), None)
    if wanted is None:
        return f"{shown(value)}: {found['msg']}"
    if name == "tuple_type" and Ellipsis in get_args(place.annotation):
        wanted = _KINDS["list"]
    if value is None:
        return f"is empty: write {wanted}, or leave the line out"
    quotes = ": put it in quotes" if name == "string_type" and isinstance(value, (int, float)) else ""
    return f"{shown(value)} is not {wanted}{quotes}"


def _unknown_key(place: _Place, value: object) -> str:
    known = list(place.owner.model_fields)
    if value is None and not suggestion(place.keys[-1], known):
        return "unknown key, without a value. A text that holds a comma stands in quotes."
    return "unknown key." + (suggestion(place.keys[-1], known) or f" Known are {', '.join(known)}.")


def _too_few(place: _Place) -> str:
    wanted = len(get_args(place.owner))
    return f"too few values: write {wanted}, as in [{', '.join(str(index + 1) for index in range(wanted))}]"


def _not_a_choice(value: object, expected: str) -> str:
    words = re.findall(r"'([^']*)'", expected) or re.findall(r"-?\d+", expected)
    return f"{shown(value)} is not one of {choices(words)}.{suggestion(value, words)}"


def _bounds(place: _Place, ctx: Mapping[str, Any]) -> str:
    limits = dict(ctx)
    for part in place.constraints:
        limits.update({name: getattr(part, name) for name in ("gt", "ge", "lt", "le") if hasattr(part, name)})
    if any(getattr(part, "func", None) is seconds for part in place.constraints):
        limits = {name: duration_text(limit) for name, limit in limits.items() if isinstance(limit, int | float)}
    if "ge" in limits and "le" in limits:
        return f"{limits['ge']} to {limits['le']}"
    signs = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
    return " and ".join(f"{signs[name]} {_short(limits[name])}" for name in ("gt", "ge", "lt", "le") if name in limits)


def _short(limit: object) -> str:
    return str(limit) if isinstance(limit, str) else f"{limit:g}"


def _written(data: object, keys: Keys, otherwise: object) -> object:
    """The value as the file has it, before a validator changed it ("0s", not 0.0)."""
    for key in keys:
        try:
            data = data[key]  # type: ignore[index]
        except (LookupError, TypeError):
            return otherwise
    return data


def _place(model: type[BaseModel], loc: tuple[str | int, ...]) -> _Place:
    place = _Place((), None, model, [])
    for step in loc:
        if step == "[key]":
            continue
        arm = next((arm for arm in _arms(place.annotation) if arm.__name__ == step), None)
        if arm is not None:
            place = _Place(place.keys, place.owner, arm, [])
        else:
            place = _Place((*place.keys, step), place.annotation, *_step(place.annotation, step))
    return place


def _arms(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models of a union; a union's tags are its models' names."""
    for arm in get_args(annotation) if get_origin(annotation) in (Union, UnionType) else ():
        plain = _unwrap(arm)[0]
        if isinstance(plain, type) and issubclass(plain, BaseModel):
            yield plain


def _step(annotation: Any, key: str | int) -> tuple[Any, list[object]]:
    """The annotation, and its constraints, one key further in."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(key))
        if field is None:
            return None, []
        inner, constraints = _unwrap(field.annotation)
        return inner, [*field.metadata, *constraints]
    args = get_args(annotation)
    if get_origin(annotation) is dict:
        return _unwrap(args[1])
    if get_origin(annotation) in (list, tuple) and isinstance(key, int):
        return _unwrap(args[key if Ellipsis not in args and key < len(args) else 0])
    return None, []


def _unwrap(annotation: Any) -> tuple[Any, list[object]]:
    """Annotated[X, ...] and X | None -> X, and the constraints met on the way."""
    constraints: list[object] = []
    while get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        constraints.extend(more)
    arms = [arm for arm in get_args(annotation) if arm is not type(None)]
    if get_origin(annotation) in (Union, UnionType) and len(arms) == 1:
        inner, more = _unwrap(arms[0])
        return inner, [*constraints, *more]
    return annotation, constraints
