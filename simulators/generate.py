"""The JSON Schema of scenarios, for editors, and docs/scenarios.md: `python -m simulators.generate`."""

import json
from pathlib import Path

from simulators.scenarios import page
from simulators.scenarios.timeline import Timeline

SCHEMA = Path(__file__).parent / "scenarios" / "scenario.schema.json"


def texts() -> dict[Path, str]:
    """Each generated file with what it should hold."""
    schema = json.dumps(Timeline.model_json_schema(), indent=1, ensure_ascii=False) + "\n"
    return {SCHEMA: schema, page.PAGE: page.text()}


def main() -> None:
    for path, text in texts().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(path)


if __name__ == "__main__":
    main()
