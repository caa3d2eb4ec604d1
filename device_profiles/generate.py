"""JSON Schemas for editors, and docs/vocabulary.md: `python -m device_profiles.generate [--check]`."""

import json
import sys
from pathlib import Path

from pydantic import BaseModel

from device_profiles import vocabulary_page
from device_profiles.schema import Golden, Profile
from device_profiles.site_model import Site
from device_profiles.vocabulary import Vocabulary, vocabulary

FOLDER = Path(__file__).parent
PAGE = FOLDER.parent / "docs" / "vocabulary.md"
MODELS: dict[str, type[BaseModel]] = {"profile": Profile, "golden": Golden, "site": Site, "vocabulary": Vocabulary}


def texts() -> dict[Path, str]:
    """Each generated file with what it should hold."""
    schemas = {
        FOLDER / f"{name}.schema.json": json.dumps(model.model_json_schema(), indent=1, ensure_ascii=False) + "\n"
        for name, model in MODELS.items()
    }
    return schemas | {PAGE: vocabulary_page.text(vocabulary())}


def stale() -> list[Path]:
    """The generated files that are missing or not what the models say."""
    return [path for path, text in texts().items() if not path.exists() or path.read_text(encoding="utf-8") != text]


def main() -> int:
    old = stale()
    if "--check" in sys.argv[1:]:
        for path in old:
            print(f"{path}: out of date. Run `python -m device_profiles.generate` and commit it.", file=sys.stderr)
        return 1 if old else 0
    for path in old:
        path.write_text(texts()[path], encoding="utf-8")
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
