"""The pages: links lead somewhere, commands can be typed as they stand there, and both READMEs say the same."""

import json
import re
import shlex
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
import typer

from pole.command import app
from pole.demo.outcome import Outcome

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```(\w*)\n((?:.*\n)*?)^```|^((?: {4}.*\n|\n(?= {4}))+)", re.M)
SPAN = re.compile(r"`([^`\n]+)`")
POLE = re.compile(r"(?:\.venv/bin/)?pole( .*)?")
REFUSED = typer.BadParameter.__bases__[0]  # of typer's own click, which it does not hand out otherwise
OUTSIDE = ("http://", "https://", "mailto:")


def pages() -> list[str]:
    """Every Markdown file that git carries or would carry."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return sorted(name for name in names if (ROOT / name).exists())


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(text: str) -> list[str]:
    """What is shown to be typed or was printed: fenced without a language, and indented by four."""
    return [indented or fenced for language, fenced, indented in BLOCK.findall(text) if indented or not language]


def typed(page: str) -> list[str]:
    """Lines of blocks, without what explains them on the right."""
    lines = [line.strip() for block in blocks(text_of(page)) for line in block.splitlines()]
    return [re.split(r"\s{2,}|\s#", line)[0] for line in lines if line]


def spans(page: str) -> list[str]:
    """`Code` inside sentences."""
    return SPAN.findall(BLOCK.sub("", text_of(page)))


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", pages())
def test_links_lead_somewhere(page):
    dead = []
    for link in LINK.findall(BLOCK.sub("", text_of(page))):
        if link.startswith(OUTSIDE):
            continue
        name, _, anchor = link.partition("#")
        target = (ROOT / page).parent / name if name else ROOT / page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


def alternatives(words: list[str]) -> list[list[str]]:
    """`gateway run|check` is two commands."""
    found: list[list[str]] = [[]]
    for word in words:
        found = [[*begun, each] for begun in found for each in word.split("|")]
    return found


def shortcoming(line: str, whole: bool) -> str:
    """Why `pole` would refuse these words, or nothing. A mention (not whole) may leave arguments out."""
    for words in alternatives(shlex.split(line.replace("[--", "--").replace("]", ""))):
        command, rest = typer.main.get_command(app), words[1:]
        while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
            if rest[0] not in command.commands:
                return f"{line}: there is no `{rest[0]}`"
            command, rest = command.commands[rest[0]], rest[1:]
        if not rest and (not whole or hasattr(command, "commands")):
            continue
        try:
            command.make_context(words[-1], list(rest))
        except typer.Exit:  # --help
            continue
        except REFUSED as error:
            return f"{line}: {error.format_message()}"
    return ""


@pytest.mark.parametrize("page", pages())
def test_commands_can_be_typed_as_they_stand(page):
    lines = [(line, True) for line in typed(page)] + [(span, False) for span in spans(page)]
    told = [shortcoming(line, whole) for line, whole in lines if POLE.fullmatch(line)]
    assert [each for each in told if each] == []


def test_the_pages_show_commands_of_every_kind():
    shown = {line.split()[1] for page in pages() for line in typed(page) if POLE.fullmatch(line)}
    assert shown >= {"query", "send", "reconcile", "site", "gateway", "ingest", "profile"}


@pytest.mark.parametrize(
    ("line", "whole"),
    [
        ("pole fly", False),
        ("pole gateway run|fly", False),
        ("pole query --altitude 3", True),
        ("pole query --limit many", True),
        ("pole send P0001", True),
        ("pole site check", True),
    ],
)
def test_a_command_that_there_is_not_is_noticed(line, whole):
    assert shortcoming(line, whole)


@pytest.mark.parametrize("page", pages())
def test_make_targets_exist(page):
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))
    named = {
        match[1] for line in (*typed(page), *spans(page)) if (match := re.match(r"make (\w+)(?: [A-Z]+=.*)?$", line))
    }
    assert named <= targets


def test_both_readmes_show_the_same():
    english, chinese = "README.md", "README.zh-CN.md"
    assert typed(english) == typed(chinese)
    assert re.findall(r"^```json\n(.*)$", text_of(english), re.M) == re.findall(
        r"^```json\n(.*)$", text_of(chinese), re.M
    )
    assert set(LINK.findall(text_of(english))) - {chinese} == set(LINK.findall(text_of(chinese))) - {english}


def test_the_shown_result_has_the_fields_of_a_real_one():
    (shown,) = re.findall(r"^```json\n(.*)$", text_of("README.md"), re.M)
    empty = Outcome(
        poles=0, devices=0, functions=[], seconds=0, first_reading_s=0, accounts=[], latency_p50_ms=0, latency_p99_ms=0,
        kills=0, crashes=0, wrong_values=0, stamped_late=0, values_checked=0,
    )  # fmt: skip
    assert list(json.loads(shown)) == list(json.loads(empty.json_line("")))


def test_the_picture_of_the_flow_names_folders_and_files_that_exist():
    texts = [text.strip() for text in ElementTree.parse(ROOT / "docs" / "flow.svg").getroot().itertext()]
    named = [text for text in texts if re.fullmatch(r"[a-z_]+(/|\.conf)", text)]
    assert len(named) == 8
    assert [name for name in named if not (ROOT / name).exists()] == []
