"""Reading the lines of a data file, plain or gzip: good ones parsed, bad ones kept by number and reason.

Never holds more than the bad lines it reports, at most `BAD_KEPT` of them; the rest are counted.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TypeVar

import msgspec

from ...core.errors import Invalid, NotFound

T = TypeVar("T")
BAD_KEPT = 100
LINE_BYTES_MAX = 4_096  # a longer line is not one of these files
GZIP_MAGIC = b"\x1f\x8b"
FILE_USER_MAX = (1 << 53) - 1  # ids in files are whole numbers that every tool reads exactly


class BadLine(msgspec.Struct, frozen=True):
    """A line that was skipped, by its number from 1."""

    number: int
    reason: str


class BadLines:
    """Counts all, keeps the first `BAD_KEPT`."""

    def __init__(self) -> None:
        self.count = 0
        self.kept: list[BadLine] = []

    def add(self, number: int, reason: str) -> None:
        self.count += 1
        if len(self.kept) < BAD_KEPT:
            self.kept.append(BadLine(number, reason))


def parsed(path: Path, parse: Callable[[list[str]], T], bad: BadLines) -> Iterator[tuple[int, T]]:
    """Yield (line number, what `parse` made of its fields); `parse` raises `ValueError` for a bad line.

    Empty lines and lines that begin with # are passed over. A file that is no text, or a gzip that ends early, raises
    `Invalid` where it breaks: what came before is good.
    """
    with _opened(path) as lines:
        number = 0
        try:
            for raw in lines:
                number += 1
                if len(raw) > LINE_BYTES_MAX:
                    bad.add(number, f"longer than {LINE_BYTES_MAX} bytes")
                    continue
                fields = raw.split()
                if not fields or fields[0].startswith(b"#"):
                    continue
                try:
                    value = parse([field.decode("ascii") for field in fields])
                except ValueError as error:  # UnicodeDecodeError is one
                    bad.add(number, str(error))
                    continue
                yield number, value
        except (EOFError, gzip.BadGzipFile) as error:
            raise Invalid(f"{path.name} breaks off after line {number}: {error}", field="file") from None


def _opened(path: Path) -> IO[bytes] | gzip.GzipFile:
    try:
        with path.open("rb") as probe:
            packed = probe.read(2) == GZIP_MAGIC
        return gzip.open(path, "rb") if packed else path.open("rb")
    except FileNotFoundError:
        raise NotFound(f"no file {path}", try_="give the path of a data file") from None
    except OSError as error:
        raise Invalid(f"cannot read {path}: {error.strerror}", field="file") from None


def file_user(text: str) -> int:
    """A user's number in a file, in [0, 2^53)."""
    if not text.isdigit() or int(text) > FILE_USER_MAX:
        raise ValueError(f"{text[:40]!r} is not a user number")
    return int(text)


def fingerprint(path: Path) -> str:
    """SHA-256 of the file's bytes, in hex: a restart continues only on the same file."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except FileNotFoundError:
        raise NotFound(f"no file {path}", try_="give the path of a data file") from None
    except OSError as error:
        raise Invalid(f"cannot read {path}: {error.strerror}", field="file") from None
    return digest.hexdigest()
