"""ops runs wait, pause, set: a job that runs in another terminal. What is asked for lies in core/run_control.py."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from .command import command
from .invocation import terminal
from .job_options import CONCURRENCY_MAX, DURATION
from .ops_runs_rows import COLUMNS, row, run_argument, runs_here
from .output import Sheet

if TYPE_CHECKING:
    from ..core.run_control import RunRow
    from ..core.runs import Run

LOOK_EVERY_S = 0.1
ALIVE = ("running", "paused")
KEYS = {"rate": "rate", "concurrency": "concurrency", "max-lag": "max_lag_ms", "max-wait": "max_wait_ms"}


@command("wait", examples=("twit ops runs wait last", "twit ops runs wait rt-20260922-1412-k7 --timeout 10m"))
@run_argument
@click.option("--timeout", type=DURATION, help="Give up after so long: exit 4.")
def wait(run_id: str, timeout: int | None) -> None:
    """Wait until a run has ended or stopped.

    Exit 0 when it is done, 4 where what it wrote reads back differently, 75 where it can be resumed.
    """
    run = runs_here().open(run_id)
    found = _ended(run, timeout)
    told = row(found)
    terminal().show(Sheet(rows=[told], columns=COLUMNS, name="run_id", document=told))
    _judge(run, found, timeout)


@command("pause", examples=("twit ops runs pause last", "twit ops runs pause rt-20260922-1412-k7"))
@run_argument
def pause(run_id: str) -> None:
    """Hold a running job before its next batch, until it is resumed."""
    from ..core.run_control import row_of

    run = runs_here().open(run_id)
    status = row_of(run).status
    if status not in ALIVE:
        raise _not_running(run, status, "only a running one can be paused")
    if status != "paused":
        _steered(run, paused=True)
    _show(run)


def unpause(run: Run) -> None:
    """Let a paused job go on where it runs."""
    _steered(run, paused=False)
    terminal().say(f"{run.run_id} goes on in its own terminal")
    _show(run)


@command("set", examples=("twit ops runs set last rate=500/s", "twit ops runs set rt-20260922-1412-k7 concurrency=2 max-lag=5s"))
@run_argument
@click.argument("changes", nargs=-1, required=True, metavar="KEY=VALUE…")
def set_(run_id: str, changes: tuple[str, ...]) -> None:
    """Change the pace of a job while it runs, or before it is resumed.

    KEY is rate (500/s, or none), concurrency, max-lag or max-wait, with the values of the options of these names. It holds from the
    next batch on.
    """
    from ..core.run_control import row_of

    run = runs_here().open(run_id)
    asked = _parsed(changes)
    status = row_of(run).status
    if status in {"done", "mismatch"}:
        raise _not_running(run, status, "there is nothing left to set")
    _steered(run, **asked)
    _show(run)


def _ended(run: Run, timeout_ms: int | None) -> RunRow:
    from ..core.run_control import row_of

    until = None if timeout_ms is None else time.monotonic() + timeout_ms / 1_000
    with terminal().progress(run.run_id) as bar:
        while (found := row_of(run)).status in ALIVE and (until is None or time.monotonic() < until):
            bar.update(found.done, "paused" if found.status == "paused" else "", total=found.total)
            time.sleep(LOOK_EVERY_S)
    return found


def _judge(run: Run, found: RunRow, timeout_ms: int | None) -> None:
    from ..core.errors import Mismatch, Stopped

    if found.status in ALIVE:
        what = f"{run.run_id} is still {found.status} after {(timeout_ms or 0) / 1_000:g} s"
        meaning = f"{found.done:,} of {found.total:,} are done"
        raise Mismatch(what, code="STILL_RUNNING", meaning=meaning, try_=f"twit ops runs show {run.run_id}")
    if found.status == "mismatch":
        what = f"{run.run_id} read back differently from what it wrote"
        raise Mismatch(what, meaning=f"see {run.folder / 'differences.csv'}", try_=f"twit ops runs show {run.run_id}")
    if found.status != "done":
        what = f"{run.run_id} is {found.status} at {found.done:,}/{found.total:,}"
        raise Stopped(what, meaning="what is done stays done", try_=f"twit ops runs resume {run.run_id}")


def _steered(run: Run, **changes: object) -> None:
    from ..core.clock import SystemClock
    from ..core.run_control import steer
    from .ops_jobs import actor

    steer(run, actor(), SystemClock().now_ms(), **changes)


def _not_running(run: Run, status: str, meaning: str) -> Exception:
    from ..core.errors import Conflict

    what = f"{run.run_id} is {status}"
    try_ = "twit ops runs list" if status in {"done", "mismatch"} else f"twit ops runs resume {run.run_id}"
    return Conflict(what, code="NOT_RUNNING", meaning=meaning, try_=try_)


def _parsed(changes: tuple[str, ...]) -> dict[str, Any]:
    """Fields of `Control`. Raises `Invalid`, a usage error."""
    from ..core.errors import Invalid
    from ..ops.durations import duration_ms, rate_per_s

    asked: dict[str, Any] = {}
    for change in changes:
        key, _, value = change.partition("=")
        if key not in KEYS or not value:
            what = f"{change!r} is not KEY=VALUE with a key that a run has"
            raise Invalid(what, field=key, try_=f"KEY is one of {', '.join(KEYS)}; as rate=500/s")
        if key == "rate":
            asked["rate"] = 0.0 if value == "none" else rate_per_s(value, key)
        elif key == "concurrency":
            if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= CONCURRENCY_MAX:
                what = f"concurrency {value!r} is not a whole number in its bounds"
                raise Invalid(what, field=key, try_=f"1 to {CONCURRENCY_MAX}")
            asked["concurrency"] = int(value)
        else:
            asked[KEYS[key]] = duration_ms(value, key)
    return asked


def _show(run: Run) -> None:
    import msgspec

    from ..core.run_control import control_of, row_of

    told = row(row_of(run)) | {"control": msgspec.to_builtins(control_of(run))}
    terminal().show(Sheet(rows=[told], columns=COLUMNS, name="run_id", document=told))
