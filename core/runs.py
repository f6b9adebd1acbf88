"""Run folders: what an operator's job was, how far it got and how it ended, kept beside the data it worked on.

`runs/<id>/` holds manifest.json, plan.json, options.json, items.i64, events.jsonl, metrics.csv, checkpoint.json, control.json where
another terminal asked for something (core/run_control.py) and, at the end, outcome.json.
Whole files are replaced atomically; lines are appended, and a line torn by a crash is passed over when read.
Nothing here knows what a job does, takes a lease, asks, or prints.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from .clock import Clock
from .entropy import Chance
from .errors import Conflict, Invalid, NotFound, StoreCorrupt, StoreDown, StoreFull

SCHEMA_VERSION = 1
T = TypeVar("T")
_ID = re.compile(r"[a-z]{2,4}-\d{8}-\d{4}-[a-z0-9]{2,3}")
_SECRET = re.compile(r"pass|secret|token|credential|key", re.IGNORECASE)
_SUFFIX = "abcdefghjkmnpqrstuvwxyz23456789"  # no letter that is read as a digit
_METRICS = ("at_ms", "done", "total", "per_s", "lag_ms", "throttled_ms")


class Fenced(Conflict):
    """A newer holder of the lease goes on with this run: stop, and write nothing more into it."""

    code = "FENCED"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Who ran what, where, why and with which code. `settings` are redacted before they come here (`redacted`)."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    procedure: str
    command: tuple[str, ...]
    context: str
    actor: str
    reason: str = ""
    ticket: str = ""
    version: str
    commit: str = ""
    seed: int
    settings: dict[str, str] = {}
    started_ms: int


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The first `done` items are finished. `fence` is the lease's: an older holder must not write after a newer one."""

    schema_version: int = SCHEMA_VERSION
    done: int
    fence: int
    at_ms: int
    tally: dict[str, int] = {}


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended. `status`: done | mismatch | stopped | failed; the last two can be resumed."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    status: str
    done: int
    total: int
    tally: dict[str, int]
    verified: int = 0
    differences: int = 0
    ended_ms: int
    error: str = ""


def redacted(settings: Mapping[str, object]) -> dict[str, str]:
    """Return settings as text, with every value whose name smells of a secret replaced by `***`."""
    return {name: "***" if _SECRET.search(name) and value else str(value) for name, value in sorted(settings.items())}


def commit_of(folder: Path) -> str:
    """Return the git commit checked out in `folder`, "" where there is none: an installed wheel has no repository."""
    try:
        head = (folder / ".git" / "HEAD").read_text("ascii").strip()
        if not head.startswith("ref: "):
            return head
        name = head.removeprefix("ref: ")
        loose = folder / ".git" / name
        if loose.exists():
            return loose.read_text("ascii").strip()
        for line in (folder / ".git" / "packed-refs").read_text("ascii").splitlines():
            if line.endswith(" " + name):
                return line.split(" ")[0]
    except (OSError, UnicodeDecodeError):
        return ""
    return ""


class Run:
    """One run's folder. Made by `Runs`."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest

    @property
    def run_id(self) -> str:
        return self.manifest.run_id

    def write(self, name: str, content: bytes) -> Path:
        """Replace the file `name` by `content`, whole or not at all, on the disk when it returns."""
        return write_atomically(self.folder / name, content)

    def read(self, name: str) -> bytes | None:
        """Return the file, `None` where there is none."""
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def checkpoint(self) -> Checkpoint | None:
        """Return how far the run got; `None` before its first batch."""
        raw = self.read("checkpoint.json")
        return None if raw is None else decoded(raw, Checkpoint, self.folder / "checkpoint.json")

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Write it, unless a newer holder of the lease has written one: then `Fenced`."""
        standing = self.checkpoint()
        if standing is not None and standing.fence > checkpoint.fence:
            what = f"{self.run_id} was taken over by another process"
            raise Fenced(what, meaning="this one stops; the other goes on", try_=f"twit ops runs show {self.run_id}")
        self.write("checkpoint.json", msgspec.json.encode(checkpoint))

    def outcome(self) -> Outcome | None:
        """Return how the run ended; `None` while it has not."""
        raw = self.read("outcome.json")
        return None if raw is None else decoded(raw, Outcome, self.folder / "outcome.json")

    def reopen(self) -> None:
        """Take back how it ended: it goes on."""
        with store_errors(self.folder):
            (self.folder / "outcome.json").unlink(missing_ok=True)

    def finish(self, outcome: Outcome) -> None:
        self.write("outcome.json", msgspec.json.encode(outcome))

    def event(self, kind: str, at_ms: int, **fields: object) -> None:
        """Append one line to events.jsonl."""
        self._append("events.jsonl", msgspec.json.encode({"at_ms": at_ms, "event": kind, **fields}) + b"\n")

    def events(self) -> Iterator[dict[str, object]]:
        """Yield the lines of events.jsonl; a torn one is passed over."""
        for line in (self.read("events.jsonl") or b"").splitlines():
            try:
                yield msgspec.json.decode(line, type=dict[str, object])
            except msgspec.DecodeError:
                continue

    def metric(self, *, at_ms: int, done: int, total: int, per_s: float, lag_ms: int, throttled_ms: int) -> None:
        """Append one line to metrics.csv."""
        head = "" if (self.folder / "metrics.csv").exists() else ",".join(_METRICS) + "\n"
        self._append("metrics.csv", f"{head}{at_ms},{done},{total},{per_s:.1f},{lag_ms},{throttled_ms}\n".encode())

    def _append(self, name: str, line: bytes) -> None:
        path = self.folder / name
        with store_errors(path), path.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    line = b"\n" + line
            file.write(line)


class Runs:
    """All runs of one data directory."""

    def __init__(self, folder: Path, clock: Clock, chance: Chance) -> None:
        self._folder = folder
        self._clock = clock
        self._chance = chance

    def create(self, prefix: str, manifest: Manifest) -> Run:
        """Make a folder with a new id (`prefix-20260922-1412-k7`) and return it; `manifest` gets id and start."""
        now = self._clock.now_ms()
        stamp = datetime.fromtimestamp(now / 1000, UTC).strftime("%Y%m%d-%H%M")
        for letters in (2,) * 16 + (3,) * 16:
            run_id = f"{prefix}-{stamp}-" + "".join(self._letter() for _ in range(letters))
            made = msgspec.structs.replace(manifest, run_id=run_id, started_ms=now)
            folder = self._folder / run_id
            with store_errors(folder):
                try:
                    folder.mkdir(parents=True)
                except FileExistsError:
                    continue
            run = Run(folder, made)
            run.write("manifest.json", msgspec.json.format(msgspec.json.encode(made)) + b"\n")
            return run
        what = f"no free run id for {prefix}-{stamp}"
        raise StoreDown(what, try_="again in a minute")

    def open(self, run_id: str) -> Run:
        """Return the run of that id; `last` is the newest. Raises `NotFound`, `Invalid` for what cannot be an id."""
        if run_id == "last":
            ids = self._ids()
            if not ids:
                raise NotFound("there are no runs yet", try_="twit ops runs list")
            run_id = max(ids, key=lambda one: (self._manifest(one).started_ms, one))
        if not _ID.fullmatch(run_id):
            what = f"{run_id!r} is not a run id"
            raise Invalid(what, field="run", try_="twit ops runs list")
        return Run(self._folder / run_id, self._manifest(run_id))

    def newest_first(self) -> list[Run]:
        """All runs."""
        runs = [Run(self._folder / run_id, self._manifest(run_id)) for run_id in self._ids()]
        return sorted(runs, key=lambda run: (run.manifest.started_ms, run.run_id), reverse=True)

    def clean(self, before_ms: int, *, keep: Sequence[str] = ()) -> list[str]:
        """Remove runs that ended for good before `before_ms`, and return their ids. What can be resumed stays."""
        gone = []
        for run in self.cleanable(before_ms):
            if run.run_id in keep:
                continue
            with store_errors(run.folder):
                shutil.rmtree(run.folder)
            gone.append(run.run_id)
        return gone

    def cleanable(self, before_ms: int) -> list[Run]:
        """Which runs `clean` would remove."""
        ended = [(run, run.outcome()) for run in self.newest_first()]
        return [run for run, end in ended if end is not None and end.status in {"done", "mismatch"} and end.ended_ms < before_ms]

    def _ids(self) -> list[str]:
        return sorted(path.parent.name for path in self._folder.glob("*/manifest.json") if _ID.fullmatch(path.parent.name))

    def _manifest(self, run_id: str) -> Manifest:
        path = self._folder / run_id / "manifest.json"
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            what = f"no run {run_id}"
            raise NotFound(what, try_="twit ops runs list") from None
        return decoded(raw, Manifest, path)

    def _letter(self) -> str:
        return _SUFFIX[self._chance.randrange(0, len(_SUFFIX))]


def write_atomically(path: Path, content: bytes) -> Path:
    """Replace `path` by `content`, whole or not at all, on the disk when it returns. Raises `StoreFull`, `StoreDown`."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with store_errors(path):
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return path


def decoded(raw: bytes, kind: type[T], path: Path) -> T:
    """Decode a file of a run folder. Raises `StoreCorrupt` for another schema version and for bytes we did not write."""
    try:
        version = msgspec.json.decode(raw, type=dict[str, object]).get("schema_version")
        if version != SCHEMA_VERSION:
            what = f"{path} has schema version {version}, this build knows {SCHEMA_VERSION}"
            raise StoreCorrupt(what, try_="use the twit that wrote it")
        return msgspec.json.decode(raw, type=kind)
    except msgspec.DecodeError as error:
        what = f"{path} cannot be read: {error}"
        raise StoreCorrupt(what) from error


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Around work on `path`: the system's errors become ours."""
    try:
        yield
    except OSError as error:
        what = f"{path}: {error.strerror or error}"
        full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES}
        raise (StoreFull if full else StoreDown)(what, try_="make room or mend the rights there, then try again") from error
