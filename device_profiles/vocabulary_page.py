"""docs/vocabulary.md: every standard point as people read it."""

from collections.abc import Iterator, Mapping

from device_profiles.schema import FUNCTIONS
from device_profiles.vocabulary import Standard, Vocabulary

HEAD = """\
# The vocabulary

Generated from `device_profiles/vocabulary.yaml` by `python -m device_profiles.generate`. Change that file and not this.

A point that several makers tell has one name, one unit and one meaning here. Profiles use these points, so that two
makers' devices of one function give the same series: the meter may be changed for another maker's, and the queries and
panels go on. `pole profile check` refuses any other name, unless the profile marks the point as its maker's own:

    points:
      decimals:
        own: true          # not in the vocabulary: only this maker tells it

What a number is in the device does not matter: `scale` and `offset` bring it to the unit that stands here. A label may
differ from the vocabulary's; dashboards show the vocabulary's. A code is a whole number that stands for something;
where the numbers are the maker's, the profile's `values` name them.

`TALQ`, `FIWARE`, `HJ 212` and `LwM2M` say what others call the same quantity: the TALQ Smart City Protocol 2.7.1
(function.attribute), the FIWARE smart data models for NGSI-LD (model.property), the factor codes of HJ 212-2017 as
public decoders list them, and the OMA LwM2M registry (/object/instance/resource). Units may differ there: TALQ counts
a meter's power in kW, NGSI-LD a humidity from 0 to 1, HJ 212 pressure in kPa.
"""
TABLE = "| point | unit | label | 中文 | meaning | elsewhere |\n|---|---|---|---|---|---|"
NAMES = {"talq": "TALQ", "fiware": "FIWARE", "hj212": "HJ 212", "lwm2m": "LwM2M"}


def text(vocabulary: Vocabulary) -> str:
    """The page; the same vocabulary always makes the same text."""
    parts = [HEAD]
    for function in FUNCTIONS:
        parts.append(_section(function, vocabulary.functions[function]))
    parts.append(_section("every function", vocabulary.common))
    return "\n".join(parts)


def _section(title: str, points: Mapping[str, Standard]) -> str:
    return "\n".join([f"## {title}\n", TABLE, *(_row(name, point) for name, point in points.items()), ""])


def _row(name: str, point: Standard) -> str:
    unit = f"`{point.unit}`" if point.unit else {"number": "", "bool": "yes or no"}.get(point.kind, point.kind)
    codes = ", ".join(f"{code} {text}" for code, text in point.values.items())
    meaning = f"{point.meaning} Codes: {codes}." if codes else point.meaning
    cells = (f"`{name}`", unit, point.labels.en, point.labels.zh, meaning, "<br>".join(_elsewhere(point)))
    return f"| {' | '.join(cells)} |"


def _elsewhere(point: Standard) -> Iterator[str]:
    for key, title in NAMES.items():
        name = getattr(point.names, key)
        if name is not None:
            yield f"{title} `{name}`"
