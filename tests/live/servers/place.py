"""Where the servers of the live tests lie and listen. One number moves all ports, one folder holds all that is not source.

`TWIT_LIVE_BASE` (7000) is added to each port; `TWIT_LIVE_HOME` holds jars (shared by all bases) and, a folder a base, data,
logs and pid files. So two sets of servers run beside each other without meeting. With `TWIT_LIVE_SECURE=1` a set speaks TLS
only, knows its users and grants each what it was granted.
"""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path
from string import Template

BASE = int(os.environ.get("TWIT_LIVE_BASE", "7000"))
HOME = Path(os.environ.get("TWIT_LIVE_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "twit-live")
SECURE = os.environ.get("TWIT_LIVE_SECURE", "") not in {"", "0"}
SET = HOME / (f"{BASE}-secure" if SECURE else str(BASE))
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
    """Write the template `files/name`, and what is particular to a plain or secure set, to `target` with `$key` replaced.

    A key that is not given is an error."""
    parts = [FILES / name, FILES / ("secure" if SECURE else "plain") / name]
    text = "".join(part.read_text(encoding="utf-8") for part in parts if part.exists())
    target.write_text(Template(text).substitute(values), encoding="utf-8")
    return target


def connected(at: int, timeout_s: float) -> socket.socket:
    """A connection to one of our own ports; by TLS in a secure set. Raises `OSError`."""
    plain = socket.create_connection((HOST, at), timeout=timeout_s)
    if not SECURE:
        return plain
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE  # whether it is well is asked here, not who it is
    try:
        return trusting.wrap_socket(plain)
    except OSError:
        plain.close()
        raise
