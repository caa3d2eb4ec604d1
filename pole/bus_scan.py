"""`pole bus scan`: runs a survey, shows it, and writes the fragment of the site file."""

import json
import sys
from pathlib import Path
from typing import Any

import typer

from device_profiles import loader
from device_profiles.site_buses import SerialBus, TcpBus
from gateway.modbus.scan.probe import REQUEST, THOROUGH
from pole import bus_port, signals
from pole.bus_fragment import bus_keys, fragment
from pole.bus_progress import BusProgress
from pole.bus_survey import Present, Survey
from pole.trial.advice import advice, port_trouble
from protocols.errors import LineDown, Timeout

STOPPED = 130  # what a shell gives a command that Ctrl-C ended


def scan(
    ways: list[SerialBus] | list[TcpBus],
    *,
    units: list[int],
    wait: float | None,
    thorough: bool,
    dlt645: bool,
    output: Path | None,
    as_json: bool,
    pole: str,
    bus: str | None,
) -> None:
    """Raises typer.Exit: 1 where nothing was found or the port failed, 130 where it was stopped."""
    progress = BusProgress()
    survey = Survey(
        ways=ways, units=units, wait=wait, dlt645=dlt645, show=progress, profiles=loader.profiles(),
        requests=THOROUGH if thorough else (REQUEST,),
    )  # fmt: skip
    trouble = ""
    with progress:
        progress.begin(survey)
        try:
            signals.run_stoppable(survey.run())
        except LineDown as error:
            trouble = port_trouble(error)
    _write(survey, output=output, as_json=as_json, pole=pole, bus=bus, trouble=trouble)
    if trouble:
        print(trouble, file=sys.stderr)
        raise typer.Exit(1)
    if not survey.is_whole:
        print("stopped: the rest was not asked", file=sys.stderr)
        raise typer.Exit(STOPPED)
    if not (survey.presents or survey.meters or survey.garbled):
        print("\n".join(_nobody(survey)), file=sys.stderr)
        raise typer.Exit(1)


def _write(survey: Survey, *, output: Path | None, as_json: bool, pole: str, bus: str | None, trouble: str) -> None:
    found = survey.presents or survey.meters or survey.garbled
    text = fragment(survey, pole=pole, bus=bus) if found else ""
    if as_json:
        print(json.dumps(_document(survey, text, trouble), ensure_ascii=False))
    elif output is None:
        print(text, end="")
    if output is not None and text:
        output.write_text(text, encoding="utf-8")
        print(f"wrote {output}", file=sys.stderr)


def _nobody(survey: Survey) -> list[str]:
    way = survey.ways[0]
    lines = advice("modbus", Timeout(), serial=isinstance(way, SerialBus), settings=bus_port.settings(way), unit=None)
    return ["Nobody answers. Check:", *(f"  - {line}" for line in lines)]


def _document(survey: Survey, text: str, trouble: str) -> dict[str, Any]:
    return {
        "whole": survey.is_whole,
        "trouble": trouble or None,
        "notes": survey.notes,
        "devices": [_entry(each) for each in survey.presents],
        "garbled": [
            {"bus": bus_keys(way), "unit": each.unit, "fault": each.fault, "detail": each.detail}
            for way, each in survey.garbled
        ],
        "meters": [
            {"baud": each.baud, "address": each.address, "profiles": list(each.profiles)} for each in survey.meters
        ],
        "fragment": text,
    }


def _entry(present: Present) -> dict[str, Any]:
    verdict = present.verdict
    return {
        "bus": bus_keys(present.way),
        "unit": present.unit,
        "seconds": round(present.seconds, 3),
        "exception": present.refusal,
        "sentence": present.sentence(),
        "confidence": round(verdict.confidence, 3),
        "label": verdict.label if verdict.candidates else None,
        "ties": [each.profile for each in verdict.candidates[: verdict.ties]],
        "candidates": [
            {
                "profile": each.profile, "confidence": round(each.confidence, 3),
                "reasons": list(each.reasons),
            }
            for each in verdict.candidates
        ],
        "notes": list(present.notes),
    }  # fmt: skip
