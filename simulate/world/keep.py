"""Keeps the tables of a population on disk, so that a command need not work them out: some megabytes, a third of a second.

A kept file is named after everything that decides it: size, seed, preset, and the sources and presets of the population. One
that cannot be read or written is as good as none. It lies beside the compiled code, in a folder that is the user's own.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from contextlib import suppress
from pathlib import Path

from ..compiled import cache_folder
from ..population import people
from ..population.people import Population, open_population

KEPT_MAX = 8  # files, the latest used
SOURCES = Path(people.__file__).parent


def kept_population(users: int, seed: int, preset: str) -> Population:
    """As `open_population`, at once where it was opened before. Raises `Invalid`."""
    path = cache_folder() / f"people-{_digest(users, seed, preset)}.pickle"
    try:
        found = pickle.loads(path.read_bytes())  # noqa: S301 - a file of ours, as trusted as the compiled code beside it
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it is made again
        found = None
    if isinstance(found, Population):
        with suppress(OSError):
            os.utime(path)
        return found
    made = open_population(users, seed, preset)
    with suppress(OSError):
        _keep(path, made)
    return made


def _digest(users: int, seed: int, preset: str) -> str:
    digest = hashlib.sha256(repr((users, seed, preset)).encode())
    for path in sorted(one for one in SOURCES.rglob("*") if one.suffix in {".py", ".toml"}):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:24]


def _keep(path: Path, population: Population) -> None:
    """Write it under another name first, and forget the files that were not used lately."""
    new = path.with_suffix(f".{os.getpid()}.new")
    new.write_bytes(pickle.dumps(population, protocol=5))
    new.replace(path)
    kept = sorted(path.parent.glob("people-*.pickle"), key=lambda one: one.stat().st_mtime, reverse=True)
    for old in kept[KEPT_MAX:]:
        old.unlink(missing_ok=True)
