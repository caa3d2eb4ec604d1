"""Secrets on the command line: an option names a file, the file's first line is the secret."""

from pathlib import Path


def read(option: str, path: Path) -> str:
    """The first line without surrounding space. Raises ValueError that names the option, the file and what to do."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n", 1)
    except UnicodeError:
        raise ValueError(f"{option}: {path} is no text; write the secret there, on one line") from None
    except OSError as error:
        raise ValueError(
            f"{option}: {path} cannot be read: {error.strerror}; name the file whose first line is the secret"
        ) from None
    if not lines[0].strip():
        raise ValueError(f"{option}: the first line of {path} is empty; write the secret there")
    return lines[0].strip()
