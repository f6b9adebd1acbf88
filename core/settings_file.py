"""twit.toml read into dotted keys, each with the line that set it. Knows nothing of which keys there are."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from .errors import Invalid

FILE_BYTES_MAX = 1 << 20  # settings, not data
_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(#.*)?$")
_ASSIGNMENT = re.compile(r"\s*([A-Za-z0-9_\-.\"' ]+?)\s*=")


class Setting(msgspec.Struct, frozen=True):
    """A value and where it came from: "--context", "TWIT_DATA", "./twit.toml:3", "built-in"."""

    value: object
    source: str


def read_file(path: Path, shown: str) -> dict[str, Setting]:
    """Return dotted key → value and "shown:line"; nothing where there is no such file. Raises `Invalid` for anything but TOML."""
    try:
        raw = path.read_bytes()[: FILE_BYTES_MAX + 1]
    except FileNotFoundError:
        return {}
    except OSError as error:
        what = f"{shown} cannot be read: {error.strerror}"
        raise Invalid(what, field=shown, code="SETTINGS", try_=f"look at the permissions of {path}") from error
    if len(raw) > FILE_BYTES_MAX:
        what = f"{shown} is larger than {FILE_BYTES_MAX >> 10} KiB"
        raise Invalid(what, field=shown, code="SETTINGS")
    try:
        text = raw.decode("utf-8")
        tree = tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError are both
        what = f"{shown} is not TOML: {error}"
        raise Invalid(what, field=shown, code="SETTINGS") from error
    lines = _lines(text)
    return {key: Setting(value, f"{shown}:{_line(lines, key)}") for key, value in _flat(tree, "")}


def _flat(tree: Mapping[str, object], prefix: str) -> Iterator[tuple[str, object]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _lines(text: str) -> dict[str, int]:
    """Line numbers of headers and assignments. A line inside a multi-line string can only add a key that nobody asks for."""
    found: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        header, assignment = _HEADER.match(line), _ASSIGNMENT.match(line)
        if header:
            table = _plain(header[1])
            found.setdefault(table, number)
        elif assignment:
            key = _plain(assignment[1])
            found.setdefault(f"{table}.{key}" if table else key, number)
    return found


def _line(lines: Mapping[str, int], key: str) -> int:
    """The line of the key, or of the table (or inline table) that holds it."""
    while key not in lines and "." in key:
        key = key.rpartition(".")[0]
    return lines.get(key, 1)


def _plain(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))
