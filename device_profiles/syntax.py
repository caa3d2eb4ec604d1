"""What is wrong with a text that is no YAML, told by the line that should be mended and not by the parser's state."""

import re

import yaml

_KEY = re.compile(r"\s*(- )?[^\s:#][^:#]*:(\s|$)")
_GLUED = re.compile(r"\s*(- )?[\w-]+:\S")


def explained(text: str, error: yaml.MarkedYAMLError) -> tuple[int, str]:
    """(line from 1 or 0, one sentence or two) for a parser's error in a text."""
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return 0, f"{error.problem or error.context}. Check indentation, colons and quotes."
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    char = line[mark.column : mark.column + 1]
    problem = error.problem or ""
    opened = error.context_mark.line + 1 if error.context_mark is not None else mark.line + 1
    if "\t" in line[: len(line) - len(line.lstrip())] or char == "\t":
        return mark.line + 1, "a tab indents this line. YAML indents with blanks: write two for each tab."
    if char and char in "%@`" and "cannot start" in problem:
        return mark.line + 1, f'a text that begins with {char} stands in quotes, as in "{_word(line, mark.column)}".'
    if "mapping values" in problem:
        return _colon(lines, mark.line, mark.column)
    if "expected ':'" in problem:
        return opened, _no_key(lines[opened - 1])
    if "',' or '" in problem:
        return opened, _open_bracket(lines[opened - 1], problem[-2])
    if "end of stream" in problem and "quoted" in (error.context or ""):
        return opened, "a quote opens here that none closes."
    if "escape" in problem:
        return mark.line + 1, "a backslash in double quotes begins an escape. Write the text in single quotes."
    if "expected key" in problem or "'-' indicator" in problem:
        return mark.line + 1, _misplaced(line, mark.column)
    return mark.line + 1, f"{problem}. Check indentation, colons and quotes."


def _colon(lines: list[str], index: int, column: int) -> tuple[int, str]:
    """A colon that belongs to no key: in a text, or because the line above is none of `key: value`."""
    line = lines[index]
    if ": " in line[:column]:
        return index + 1, 'a text that holds a colon and a blank stands in quotes, as in "a: b".'
    above = next((at for at in range(index - 1, -1, -1) if lines[at].strip() and lines[at].lstrip()[0] != "#"), None)
    if above is None or _KEY.match(lines[above]):
        return index + 1, "this line is indented deeper than the one above, which has its value already."
    return above + 1, _no_key(lines[above])


def _no_key(line: str) -> str:
    if "：" in line:  # as a Chinese keyboard writes it
        return f"'{_cut(line)}' has a full-width colon. Write `: `."
    if _GLUED.match(line):
        return f"'{_cut(line)}': a blank is missing behind the colon."
    return f"'{_cut(line)}' is no `key: value`. A colon and a blank stand behind a key."


def _open_bracket(line: str, bracket: str) -> str:
    if line.count('"') % 2 or line.count("'") % 2:
        return "a quote opens in this line that none closes."
    return f"a bracket opens here that no {bracket} closes, or a comma is missing in it."


def _misplaced(line: str, column: int) -> str:
    indent = len(line) - len(line.lstrip())
    if column > indent:
        return (
            f"'{_cut(line[column:])}' stands behind a value that has ended: check the quotes and brackets of this line."
        )
    if line.lstrip().startswith("- "):
        return "a list's item stands among keys. Indent it below its key."
    blanks = f"{indent or 'no'} blank{'s' * (indent != 1)}"
    return f"this line is indented by {blanks}, which fits no line above. Indent it as its neighbours."


def _word(line: str, column: int) -> str:
    return re.split(r"[,}\]#]", line[column:])[0].strip()


def _cut(text: str) -> str:
    text = text.strip()
    return text if len(text) <= 40 else f"{text[:40]}…"
