"""Where the servers of the live tests lie and listen. One number moves all ports, one folder holds all that is not source.

`TWIT_LIVE_BASE` (7000) is added to each port; `TWIT_LIVE_HOME` holds jars (shared by all bases) and, a folder a base, data,
logs and pid files. So two sets of servers run beside each other without meeting.
"""

from __future__ import annotations

import os
from pathlib import Path
from string import Template

BASE = int(os.environ.get("TWIT_LIVE_BASE", "7000"))
HOME = Path(os.environ.get("TWIT_LIVE_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "twit-live")
SET = HOME / str(BASE)
HOST = "127.0.0.1"
FILES = Path(__file__).parent / "files"


class Trouble(Exception):
    """Something that whoever called must see to; its text says what happened and what to do."""


def port(offset: int) -> int:
    """The port of this set that lies `offset` above its base."""
    return BASE + offset


def folder(*parts: str) -> Path:
    """A folder of this set, made where it is not there."""
    made = SET.joinpath(*parts)
    made.mkdir(parents=True, exist_ok=True)
    return made


def log_file(name: str) -> Path:
    """What a process writes to its standard output and error."""
    return folder("log") / f"{name}.log"


def render(name: str, target: Path, **values: object) -> Path:
    """Write the template `files/name` to `target` with `$key` replaced; a key that is not given is an error."""
    target.write_text(Template((FILES / name).read_text(encoding="utf-8")).substitute(values), encoding="utf-8")
    return target
