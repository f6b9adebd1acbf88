"""How a run stands, and how it is steered from another terminal: a small file in its folder, which the job reads between
batches, and a lock that says whether anybody works on it.

The lock is given back by the kernel when its process dies, whatever killed it. Nothing here waits, asks or prints.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from .errors import Conflict
from .runs import SCHEMA_VERSION, Run, Runs, decoded, store_errors

CONTROL, WORKING, STEERING = "control.json", "working.lock", "control.lock"
TRIES = 1_000  # whoever asks `has_process` holds the lock for some microseconds


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked of a run since it was started; `None`: as it was started. `by` asked last, at `at_ms`."""

    schema_version: int = SCHEMA_VERSION
    paused: bool = False
    rate: float | None = None  # items a second; 0: no bound
    concurrency: int | None = None
    max_lag_ms: int | None = None
    max_wait_ms: int | None = None
    by: str = ""
    at_ms: int = 0


def control_of(run: Run) -> Control:
    """What was asked of the run; the defaults where nothing was."""
    raw = run.read(CONTROL)
    return Control() if raw is None else decoded(raw, Control, run.folder / CONTROL)


def steer(run: Run, by: str, at_ms: int, **changes: object) -> Control:
    """Ask for `changes` (fields of `Control`), beside what was asked before, and record who did. Returns what holds now."""
    with _opened(run, STEERING) as fd:
        fcntl.flock(fd, fcntl.LOCK_EX)  # held for one small write
        control = msgspec.structs.replace(control_of(run), **changes, by=by, at_ms=at_ms)
        run.write(CONTROL, msgspec.json.encode(control))
    kind = ("paused" if changes["paused"] else "unpaused") if "paused" in changes else "set"
    run.event(kind, at_ms, actor=by, **{name: value for name, value in changes.items() if name != "paused"})
    return control


@contextmanager
def working(run: Run) -> Iterator[None]:
    """Around the work: others see that the run has a process. Raises `Conflict` where it has one already."""
    with _opened(run, WORKING) as fd:
        if not any(_taken(fd) for _ in range(TRIES)):
            what = f"{run.run_id} has a process already"
            raise Conflict(what, code="JOB_RUNNING", meaning="nothing was written", try_=f"twit ops runs show {run.run_id}")
        yield


def has_process(run: Run) -> bool:
    """Whether a process works on the run now."""
    try:
        fd = os.open(run.folder / WORKING, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list of runs. `status`: running | paused, else how it ended, killed where no end was written."""

    run_id: str
    procedure: str
    status: str
    done: int
    total: int
    actor: str
    context: str
    started_ms: int
    ended_ms: int


def row_of(run: Run) -> RunRow:
    """Return the run's line in the list."""
    manifest, outcome, checkpoint = run.manifest, run.outcome(), run.checkpoint()
    status = outcome.status if outcome else "killed"
    if has_process(run):
        status = "paused" if control_of(run).paused else "running"
    return RunRow(
        run_id=run.run_id, procedure=manifest.procedure, status=status,
        done=checkpoint.done if checkpoint else 0, total=len(run.read("items.i64") or b"") // 8,
        actor=manifest.actor, context=manifest.context, started_ms=manifest.started_ms,
        ended_ms=outcome.ended_ms if outcome else 0,
    )


def rows_of(runs: Runs) -> list[RunRow]:
    """All runs, newest first."""
    return [row_of(run) for run in runs.newest_first()]


@contextmanager
def _opened(run: Run, name: str) -> Iterator[int]:
    path = run.folder / name
    with store_errors(path):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        yield fd
    finally:
        os.close(fd)  # and so unlocked


def _taken(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.sched_yield()
        return False
    return True
