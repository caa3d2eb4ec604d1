"""JSON Schemas for editors, docs/vocabulary.md and docs/devices: `python -m device_profiles.generate [--check]`."""

import json
import sys
from pathlib import Path

from pydantic import BaseModel

from device_profiles import loader, vocabulary_page
from device_profiles.pages import Pages, pages
from device_profiles.problems import FileProblem
from device_profiles.schema import Golden, Profile
from device_profiles.site_model import Site
from device_profiles.vocabulary import Vocabulary, vocabulary

FOLDER = Path(__file__).parent
PAGE = FOLDER.parent / "docs" / "vocabulary.md"
DEVICES = FOLDER.parent / "docs" / "devices"
MODELS: dict[str, type[BaseModel]] = {"profile": Profile, "golden": Golden, "site": Site, "vocabulary": Vocabulary}


def texts() -> dict[Path, str]:
    """Each generated file with what it should hold."""
    schemas = {
        FOLDER / f"{name}.schema.json": json.dumps(model.model_json_schema(), indent=1, ensure_ascii=False) + "\n"
        for name, model in MODELS.items()
    }
    return schemas | {PAGE: vocabulary_page.text(vocabulary())}


def devices() -> Pages:
    """The pages of the shipped profiles. Raises FileProblem."""
    return pages(loader.files(), DEVICES)


def stale() -> list[Path]:
    """The generated files that are missing, not what the models and profiles say, or of a profile that is gone."""
    old = [path for path, text in texts().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    shipped = devices()
    return [*old, *shipped.outdated(), *shipped.left]


def main() -> int:
    try:
        return _check() if "--check" in sys.argv[1:] else _write()
    except FileProblem as problem:
        print(problem, file=sys.stderr)
        return 1


def _check() -> int:
    old = stale()
    for path in old:
        print(f"{path}: out of date. Run `python -m device_profiles.generate` and commit it.", file=sys.stderr)
    return 1 if old else 0


def _write() -> int:
    for path, text in texts().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(path)
    for path in devices().write():
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
