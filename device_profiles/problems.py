"""What is wrong with a file, in words that say where, what, what is allowed and what to do.

    Exception
    └── FileProblem        one message or more about one file, a line each

YAML is read strictly: a key stands once, there are no anchors, and only what YAML 1.2 calls a number, true, false or
null is one. So `no` and `on` stay texts, `0x1F4` is 500 and `12:30` is a text and not 750.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from device_profiles import indentation, syntax, wording
from device_profiles.wording import Fault, Keys

M = TypeVar("M", bound=BaseModel)

MAX_DEPTH = 32
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml reads a large site file ten times faster
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)|0x[0-9A-Fa-f]+|0o[0-7]+")
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
_WORDS = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


class FileProblem(Exception):
    """`messages`: each names the file, the line, the key and what to do."""

    def __init__(self, messages: str | Iterable[str]) -> None:
        self.messages = [
            _on_one_line(each) for each in (messages.split("\n") if isinstance(messages, str) else messages)
        ]
        super().__init__("\n".join(self.messages))


def _on_one_line(message: str) -> str:
    """What a file quotes may hold tabs and line ends, which a terminal should not obey."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in message)


class Document(dict[str, object]):
    """A YAML file's mapping, with the line (from 1) of every key path."""

    def __init__(self, data: Mapping[str, object], lines: Mapping[Keys, int]) -> None:
        super().__init__(data)
        self.lines = dict(lines)


def read_yaml(path: Path | str) -> Document:
    """File -> Document. Raises FileProblem where it cannot be read, is not YAML or is not a mapping."""
    return parse_yaml(read_bytes(path), path)


def read_bytes(path: Path | str) -> bytes:
    """Raises FileProblem where the file cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise FileProblem(f"{path}: cannot be read: {error.strerror}. Check the path and its permissions.") from None


def parse_yaml(content: bytes, path: Path | str) -> Document:
    """What stands in the file at path -> Document. Raises FileProblem where it is not YAML or is not a mapping."""
    text = _text(content, path)
    reader = _Reader(str(path))
    try:
        data = reader.read(text)
    except yaml.MarkedYAMLError as error:
        line, reason = syntax.explained(text, error)
        raise FileProblem(f"{path}{f':{line}' if line else ''}: this is not YAML: {reason}") from None
    except yaml.YAMLError as error:
        raise FileProblem(f"{path}: this is not YAML: {' '.join(str(error).split())}.") from None
    if data is None:
        raise FileProblem(f"{path}: the file is empty. It starts with `key: value` lines.")
    if not isinstance(data, dict):
        raise FileProblem(
            f"{path}:1: the file is {wording.kind(data)}, not a mapping. It starts with `key: value` lines."
        )
    return Document(data, reader.lines)


def check(model: type[M], data: Mapping[str, object], path: Path | str, context: object = None) -> M:
    """Data -> the model's instance. Raises FileProblem with one message for each mistake, by line."""
    try:
        return model.model_validate(dict(data), context=context)
    except ValidationError as error:
        faults = indentation.faults(model, data) or wording.faults(model, data, error)
    raise problem(faults, data, path)


def problem(faults: Sequence[Fault], data: Mapping[str, object], path: Path | str) -> FileProblem:
    """Faults -> FileProblem, in the order of the file's lines."""
    lines = getattr(data, "lines", {})
    placed = sorted((line_of(lines, keys), index) for index, (keys, _) in enumerate(faults))
    return FileProblem(message(path, line, *faults[index]) for line, index in placed)


def message(path: Path | str, line: int, keys: Keys, text: str) -> str:
    """`site.yaml:14: devices[3].unit: 300 is …`; line 0 is not written."""
    where = f"{path}:{line}" if line else str(path)
    return f"{where}: {wording.key_path(keys)}: {text}" if keys else f"{where}: {text}"


def line_of(lines: Mapping[Keys, int], keys: Keys) -> int:
    """The line of a key path, or of the nearest above it; 0 where none is known."""
    while keys and keys not in lines:
        keys = keys[:-1]
    return lines.get(keys, 0)


def _text(content: bytes, path: Path | str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        text = f"byte {error.start} is not UTF-8; it may be {_encoding(content)}"
        raise FileProblem(f"{path}:{line}: {text}. Save the file again with the encoding UTF-8.") from None


def _encoding(content: bytes) -> str:
    """What editors under a Chinese or a western Windows write otherwise."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "UTF-16"
    try:
        content.decode("gb18030")
    except UnicodeDecodeError:
        return "Windows-1252"
    return "GBK"


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


class _Reader:
    """YAML events -> plain values, with the line of every key path."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.lines: dict[Keys, int] = {}

    def read(self, text: str) -> object:
        self._events = yaml.parse(text, Loader=_LOADER)
        self._written = text.splitlines()
        documents = 0
        value: object = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._refused(event, "a second document begins (`---`)", "keep one document in a file")
            elif isinstance(event, yaml.NodeEvent):
                value = self._value(event, ())
        return value

    def _value(self, event: yaml.Event, keys: Keys) -> object:
        self.lines.setdefault(keys, _line(event))
        if len(keys) > MAX_DEPTH:
            raise self._refused(event, f"nested deeper than {MAX_DEPTH} levels", "check brackets and indentation")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise self._refused(event, "anchors and aliases (& and *) are not read here", "write the value out")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(keys)
        return self._mapping(keys)

    def _sequence(self, keys: Keys) -> list[object]:
        out: list[object] = []
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            out.append(self._value(event, (*keys, len(out))))
        return out

    def _mapping(self, keys: Keys) -> dict[object, object]:
        out: dict[object, object] = {}
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if not isinstance(event, yaml.ScalarEvent):
                raise self._refused(event, "a key is a single word", "quote a text that begins with { or [")
            key = self._scalar(event)
            name = key if isinstance(key, int) and not isinstance(key, bool) else event.value
            if name in out:
                first = self.lines[(*keys, name)]
                raise self._refused(
                    event, f"{wording.key_path((*keys, name))} stands twice (first on line {first})", "keep one of them"
                )
            self.lines[(*keys, name)] = _line(event)
            out[name] = self._value(next(self._events), (*keys, name))
        return out

    def _scalar(self, event: yaml.ScalarEvent) -> object:
        if event.tag not in (None, "!"):
            raise self._refused(event, f"the tag {event.tag} is not read here", "leave it out")
        text: str = event.value
        self._ends_before_a_list(event)
        if event.style in ("'", '"', "|", ">"):
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            return int(text, 0)
        if _FLOAT.fullmatch(text):
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        return text

    def _ends_before_a_list(self, event: yaml.ScalarEvent) -> None:
        # YAML takes the items of a list whose key is missing for more of the text above.
        if event.style or event.start_mark is None or event.end_mark is None or "\n" in event.value:
            return
        first, last = event.start_mark.line + 1, event.end_mark.line + 1
        for number, line in enumerate(self._written[first:last], start=first + 1):
            if line.lstrip().startswith("- "):
                raise FileProblem(f"{self._path}:{number}: a list begins here without a key above it: write the key.")

    def _refused(self, event: yaml.Event, what: str, remedy: str) -> FileProblem:
        return FileProblem(f"{self._path}:{_line(event)}: {what}: {remedy}.")
