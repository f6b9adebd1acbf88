"""How far a long command has got: a bar on a terminal, a line every 10 s elsewhere. Never raises, never slows the work."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

LINE_EVERY_S = 10.0
STEP_SAID_S = 1.0  # a shorter step is not worth a line of its own


class Progress:
    """A context manager; `update(done, note)` as often as one likes. `total` None: unknown."""

    def __init__(self, say: Callable[[str], None], what: str, total: int | None, *, live: bool, color: bool) -> None:
        self._say, self._what, self._total = say, what, total
        self._live, self._color = live, color
        self._bar: Bar | None = None
        self._began = self._said = time.monotonic()
        self._step, self._step_done, self._step_from = "", 0, 0

    def __enter__(self) -> Self:
        if self._live:
            with contextlib.suppress(Exception):
                self._bar = self._start_bar()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end_step()
        if self._bar is not None:
            with contextlib.suppress(Exception):
                self._bar.stop()

    def update(self, done: int, note: str = "", total: int | None = None) -> None:
        """`done` so far; `note` says what is special, as why it is throttled."""
        self._total = total if total is not None else self._total
        with contextlib.suppress(Exception):
            if self._bar is not None:
                self._bar.update(self._bar.task_ids[0], completed=done, total=self._total, description=self._described(note))
            elif time.monotonic() - self._said >= LINE_EVERY_S:
                self._said = time.monotonic()
                self._say(self.line(done, note))

    def step(self, name: str, done: int, total: int) -> None:
        """The same for a work of several steps: each has a total, a rate and a time to go of its own, and a line at its end."""
        if name != self._step:
            self._end_step()
            self._step, self._step_from, self._began = name, done, time.monotonic()
            with contextlib.suppress(Exception):
                if self._bar is not None:
                    self._bar.reset(self._bar.task_ids[0], total=total)
        self._step_done = done
        self.update(done, name, total)

    def _end_step(self) -> None:
        took = time.monotonic() - self._began
        if self._step and took >= STEP_SAID_S:
            done = self._step_done - self._step_from
            with contextlib.suppress(Exception):
                self._say(f"{self._what}  {done:,} {self._step} in {took:.1f} s".replace(",", " ") + f"  {done / took:.0f}/s")

    def line(self, done: int, note: str = "") -> str:
        """The line that a log gets: done, share, rate, time to go."""
        rate = (done - self._step_from) / max(time.monotonic() - self._began, 1e-3)
        parts = [f"{self._what}  {done:,}".replace(",", " ")]
        if self._total:
            left_s = (self._total - done) / rate if rate else 0
            parts = [f"{parts[0]}/{self._total:,}".replace(",", " "), f"{100 * done // self._total} %", f"ETA {left_s:.0f} s"]
        return "  ".join([*parts, f"{rate:.0f}/s", *([note] if note else [])])

    def _described(self, note: str) -> str:
        return f"{self._what}  {note}" if note else self._what

    def _start_bar(self) -> Bar:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Drawn

        console = Console(file=sys.stderr, no_color=not self._color, force_terminal=True)
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        bar = Drawn(*columns, console=console, transient=True)
        bar.add_task(self._what, total=self._total)
        bar.start()
        return bar
