"""Whoever sits at the terminal, as jobs see him: shown plans, asked, kept informed, and able to interrupt.

The first Ctrl-C (or SIGTERM) of a run that has begun asks it to stop at its next checkpoint; the second leaves at once. Before
that, Ctrl-C is what it always is.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from ..core.errors import Stopped
from .output import Sheet, Terminal, shown

if TYPE_CHECKING:
    from ..ops.plan import Plan, Progress
    from .progress import Progress as Drawn

LINE_EVERY_S = 10.0
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class TerminalOperator:
    """`ops.plan.Operator` at a terminal. `only_plan`: the plan is the result, and goes to stdout."""

    def __init__(self, terminal: Terminal, resume: str, *, only_plan: bool = False) -> None:
        self.stop = asyncio.Event()
        self._terminal, self._resume, self._only_plan = terminal, resume, only_plan
        self._run_id = ""
        self._bar: Drawn | None = None
        self._said = time.monotonic()
        self._task: asyncio.Task[object] | None = None

    def show(self, plan: Plan, heading: str) -> None:
        sheet = plan_sheet(plan, heading)
        if self._only_plan:
            self._terminal.show(sheet)
        else:
            self._terminal.say("\n".join(sheet.lines or ()))

    def ask(self, question: str) -> str | None:
        if not self._terminal.may_ask:
            return None
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # the loop's own handler waits for the loop
        try:
            return str(click.prompt(question.rstrip(), default="", show_default=False, prompt_suffix=" ", err=True))
        finally:
            signal.signal(signal.SIGINT, before)

    def say(self, line: str) -> None:
        self._terminal.say(shown(line))

    def working(self, run_id: str) -> None:
        self._run_id = run_id
        self._task = asyncio.current_task()
        self._terminal.say(f"run {run_id}")
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._interrupted)

    def progress(self, progress: Progress) -> None:
        if sys.stderr.isatty():
            if self._bar is None:
                self._bar = self._terminal.progress(progress.run_id, progress.total).__enter__()
            self._bar.update(progress.done, note_of(progress))
            if progress.final:
                self.rest()
        elif progress.final or time.monotonic() - self._said >= LINE_EVERY_S:
            self._said = time.monotonic()
            self._terminal.say(line_of(progress))

    def rest(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Around a job: leaving at once is `Stopped` too, and the terminal is left in order."""
        try:
            yield
        except asyncio.CancelledError:
            if not self._run_id:
                raise
            meaning = "The last checkpoint stands; what was done after it is done again, with the same result."
            raise Stopped("left at once", meaning=meaning, try_=self._resume.format(run=self._run_id)) from None
        finally:
            self.rest()
            if self._run_id:
                for number in SIGNALS:
                    asyncio.get_running_loop().remove_signal_handler(number)

    def _interrupted(self) -> None:
        if self.stop.is_set():
            if self._task is not None:
                self._task.cancel()
            return
        self.stop.set()
        self._terminal.say(f"finishing the batch; once more leaves at once. Resume: {self._resume.format(run=self._run_id)}")


def resume_command(context: str, default_context: str) -> str:
    """The command that resumes a run, wherever it is typed; `{run}` stands for the run's id."""
    folders = [(name, os.environ[name]) for name in ("TWIT_DATA", "TWIT_RING") if os.environ.get(name)]
    where = "".join(f"{name}={os.path.abspath(folder)} " for name, folder in folders)  # noqa: PTH100 - one that may not exist is not resolved
    return f"{where}twit ops runs resume {{run}}" + (f" --context {context}" if context != default_context else "")


def plan_sheet(plan: Plan, heading: str) -> Sheet:
    """A plan as it is shown and as `-o json` gives it."""
    import msgspec

    width = max((len(label) for label, _ in (*plan.facts, ("undo", ""))), default=0)
    lines = [shown(heading), *(f"  {label:<{width}}  {shown(text)}" for label, text in (*plan.facts, ("undo", plan.undo)))]
    row = msgspec.to_builtins(plan) | {"level": plan.level.name.lower(), "facts": dict(plan.facts)}
    columns = {"procedure": "procedure", "context": "context", "count": "count", "level": "level", "undo": "undo"}
    return Sheet(rows=[row], columns=columns, name="fingerprint", document=row, lines=lines)


def line_of(progress: Progress) -> str:
    """`rt-…  291,120/812,344 users  36 %  311/s  ETA 28 min  throttled 4 %: why`."""
    share = 100 * progress.done // progress.total if progress.total else 100
    done = f"{progress.done:,}/{progress.total:,} {progress.unit}".rstrip()
    return f"{progress.run_id}  {done}  {share} %  {note_of(progress)}"


def note_of(progress: Progress) -> str:
    """Rate, time to go, and why it waits."""
    from ..ops.durations import seconds

    parts = [f"{progress.per_s:,.0f}/s"]
    if progress.eta_s >= 0 and not progress.final:
        parts.append(f"ETA {seconds(progress.eta_s * 1_000)}")
    if progress.throttled:
        parts.append(f"throttled {progress.throttled_share:.0%}: {progress.throttled}")
    return "  ".join(parts)
