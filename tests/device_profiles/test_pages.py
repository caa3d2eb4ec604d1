"""The pages of the devices: they follow from the profiles, keep what people noted, and lose no page with notes."""

import itertools
import re
from pathlib import Path

import pytest

from device_profiles import loader, pages, site
from device_profiles.problems import FileProblem
from device_profiles.schema import FUNCTIONS

SITE = """\
area: wuhou
gateways:
  gw-1: {broker: "mqtt://127.0.0.1:1883", pole: P0001}
poles:
  P0001: {position: [30.6410, 104.0430]}
"""
NOTE = "Ours needed a terminator of 120 Ω.\n\n- Pin 3 is B.\n"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("docs") / "devices"
    pages.pages(loader.files(), out).write()
    return out


def some(*names: str) -> dict[str, Path]:
    return {name: loader.files()[name] for name in names}


def with_note(page: Path) -> None:
    text = page.read_text("utf-8")
    page.write_text(re.sub(r"(?s)<!-- notes -->\n.*<!-- /notes -->", f"<!-- notes -->\n{NOTE}<!-- /notes -->", text))


def test_every_profile_has_a_page_and_a_line_in_the_index(written: Path) -> None:
    index = (written / "README.md").read_text("utf-8")
    for name, profile in loader.profiles().items():
        page = (written / f"{name}.md").read_text("utf-8")
        assert page.splitlines()[1] == f"# {profile.labels.en} · {profile.labels.zh}"
        assert f"]({name}.md)" in index
        assert all(f"| `{point}`" in page for point in profile.points)
        assert all(f"| `{command}` |" in page for command in profile.commands)
        assert all(" ".join(caveat.split()).split("<")[0][:60] in page for caveat in profile.caveats)


def test_the_index_has_the_nine_functions_in_their_order(written: Path) -> None:
    index = (written / "README.md").read_text("utf-8")
    listed = re.findall(r"^- \[(.+?) · .+?\]\(#.+?\): (\d+)$", index, re.M)
    wanted = [pages.TITLES[function].split(" · ")[0] for function in FUNCTIONS]
    assert [title for title, _ in listed] == wanted
    assert all(int(count) > 0 for _, count in listed[:9])
    headings = re.findall(r"^## (.+?) · ", index, re.M)
    assert headings == wanted


def test_every_snippet_for_the_site_file_loads(written: Path, tmp_path: Path) -> None:
    shown = 0
    for name, profile in loader.profiles().items():
        snippets = re.findall(r"```yaml\n(.*?)```", (written / f"{name}.md").read_text("utf-8"), re.S)
        assert len(snippets) == (profile.protocol != "gateway")
        for snippet in snippets:
            path = tmp_path / f"{name}.yaml"
            path.write_text(SITE + snippet, "utf-8")
            (device,) = site.load(path).devices
            assert device.profile == name
            shown += 1
    assert shown >= 28


def test_every_table_is_whole(written: Path) -> None:
    for page in written.glob("*.md"):
        lines = page.read_text("utf-8").splitlines()
        for before, line in itertools.pairwise(lines):
            if line.startswith("|") and before.startswith("|"):
                assert len(re.findall(r"(?<!\\)\|", line)) == len(re.findall(r"(?<!\\)\|", before)), (
                    f"{page.name}: {line}"
                )


def test_variants_link_to_each_other_and_say_how_they_differ(written: Path) -> None:
    here = (written / "weather-8in1-w01.md").read_text("utf-8")
    there = (written / "weather-8in1.md").read_text("utf-8")
    assert "- [`weather-8in1`](weather-8in1.md)" in here
    assert "- [`weather-8in1-w01`](weather-8in1-w01.md)" in there
    assert re.search(r"`wind_speed` is holding 500 .* × 0\.1 here, holding 500 .* × 0\.01 there\.", here)
    alone = (written / "xy-md03.md").read_text("utf-8")
    assert "Other editions" not in alone


def test_the_time_on_the_bus_is_that_of_the_factory_s_line(written: Path) -> None:
    # sdm120, 2400 8N1: (8 + 5 + 2n characters) of 10 bits, 60 ms latency, 3.5 characters of silence, for 32 and 2 words
    page = (written / "sdm120.md").read_text("utf-8")
    row = re.search(r"^\| live \| 10 s \| 2 \| 32, 2 \| (\d+) ms \|", page, re.M)
    assert row is not None
    wanted = sum((13 + 2 * words + 3.5) * 10 / 2400 + 0.06 for words in (32, 2))
    assert int(row[1]) == round(wanted * 1000)


def test_a_page_is_the_same_again(written: Path) -> None:
    again = pages.pages(loader.files(), written)
    assert (again.outdated(), list(again.left)) == ([], [])
    assert again.write() == []


def test_notes_are_kept(tmp_path: Path) -> None:
    page = tmp_path / "xy-md03.md"
    pages.pages(some("xy-md03"), tmp_path).write()
    with_note(page)
    text = page.read_text("utf-8")
    page.write_text(text.replace("# Temperature and humidity sensor", "# Nonsense"), "utf-8")
    assert page in pages.pages(some("xy-md03"), tmp_path).write()
    assert page.read_text("utf-8") == text
    assert NOTE in text


def test_a_page_of_a_profile_that_is_gone_is_deleted(tmp_path: Path) -> None:
    pages.pages(some("xy-md03", "sdm120"), tmp_path).write()
    (tmp_path / "by-hand.md").write_text("# Mine\n")
    found = pages.pages(some("xy-md03"), tmp_path)
    assert found.left == [tmp_path / "sdm120.md"]
    found.write()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "by-hand.md", "xy-md03.md"]


def test_notes_of_a_profile_that_is_gone_are_not_lost(tmp_path: Path) -> None:
    pages.pages(some("xy-md03", "sdm120"), tmp_path).write()
    with_note(tmp_path / "sdm120.md")
    with pytest.raises(FileProblem, match=r"sdm120\.md: the profile of this page is gone, but its notes are not\."):
        pages.pages(some("xy-md03"), tmp_path).write()
    assert NOTE in (tmp_path / "sdm120.md").read_text("utf-8")


def test_a_page_written_by_hand_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "xy-md03.md").write_text("# Mine\n")
    with pytest.raises(FileProblem, match=r"xy-md03\.md: this page was not generated, and is not overwritten\."):
        pages.pages(some("xy-md03"), tmp_path)


def test_a_page_that_lost_a_mark_is_refused(tmp_path: Path) -> None:
    pages.pages(some("xy-md03"), tmp_path).write()
    page = tmp_path / "xy-md03.md"
    page.write_text(page.read_text("utf-8").replace("<!-- /notes -->", ""), "utf-8")
    with pytest.raises(FileProblem, match=r"xy-md03\.md: <!-- notes --> and <!-- /notes --> do not both stand"):
        pages.pages(some("xy-md03"), tmp_path)


def test_the_committed_pages_are_up_to_date() -> None:
    out = Path(__file__).parents[2] / "docs" / "devices"
    found = pages.pages(loader.files(), out)
    assert (found.outdated(), list(found.left)) == ([], [])
