"""`make bench [ARGS="3 9"]`: each figure beside its reference, measured in the same run, as one table and as JSON.

Every module of this folder that defines `ROWS` (row name → function returning one `Figure` or several) is a source of
rows. Arguments pick rows by the start of their names; none means all but the long ones (`--long` adds them). The JSON
goes to `.bench/<time>.json`. Exit 1 where a figure misses its bar.
"""

import importlib
import json
import os
import pkgutil
import platform
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from twit import __version__

from .figure import Figure, table

HERE = Path(__file__).parent


def sources():
    for module in sorted(pkgutil.iter_modules([str(HERE)]), key=lambda found: found.name):
        if not module.name.startswith("_"):
            loaded = importlib.import_module(f"{__package__}.{module.name}")
            yield from getattr(loaded, "ROWS", {}).items()


def machine():
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=HERE).stdout.strip()
    return {
        "twit": __version__, "commit": commit, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version,
        "system": platform.platform(), "cores": os.cpu_count(), "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def main(arguments):
    picks = [argument for argument in arguments if not argument.startswith("-")]
    long = "--long" in arguments
    rows = sorted(sources(), key=lambda row: (float("".join(c for c in row[0].split()[0] if c.isdigit() or c == ".") or 0), row[0]))
    wanted = [(name, run) for name, run in rows if (any(name.split()[0] == pick for pick in picks) if picks else long or not getattr(run, "long", False))]
    if not wanted:
        print("no such row; there are:", *(name for name, _ in rows), sep="\n  ")
        return 2
    about = machine()
    print("  ".join(f"{key} {value}" for key, value in about.items()))
    figures: list[Figure] = []
    for name, run in wanted:
        print(f"… {name}", file=sys.stderr, flush=True)
        found = run()
        figures += [found] if isinstance(found, Figure) else found
    print(table(figures))
    folder = Path(".bench")
    folder.mkdir(exist_ok=True)
    record = {"machine": about, "figures": [msgspec.to_builtins(figure) | {"ratio": figure.ratio, "holds": figure.holds} for figure in figures]}
    (folder / f"{about['started'].replace(':', '')}.json").write_text(json.dumps(record, indent=1))
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
