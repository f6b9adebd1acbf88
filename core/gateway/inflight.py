"""How many requests are under way, and which have been for too long.

One timer serves all: the oldest request is the first to be late, so looking at the head of a dict is enough, and a
request costs two dict operations instead of a timer of its own.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ..errors import Overloaded

LOOKS_PER_DEADLINE = 10


class InFlight:
    """Admits requests up to a bound, and cancels those past their deadline. For one event loop."""

    def __init__(self, requests_max: int, deadline_ms: int) -> None:
        self.shed = 0
        self.late = 0
        self._max = requests_max
        self._deadline_s = deadline_ms / 1_000
        self._since: dict[asyncio.Task[Any], float] = {}
        self._cancelled: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._since)

    def enter(self, loop: asyncio.AbstractEventLoop) -> asyncio.Task[Any]:
        """Admit the current task, or raise `Overloaded` before any work was done for it."""
        if len(self._since) >= self._max:
            self.shed += 1
            raise Overloaded("too many requests under way", try_="again in a second")
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("a request runs outside any task")
        self._since[task] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self._deadline_s / LOOKS_PER_DEADLINE, self._look, loop)
        return task

    def is_late(self, task: asyncio.Task[Any]) -> bool:
        """Whether it was cancelled here, for being late."""
        return task in self._cancelled

    def leave(self, task: asyncio.Task[Any]) -> None:
        """Let it go; where it was cancelled for being late, that is taken back."""
        del self._since[task]
        if task in self._cancelled:
            self._cancelled.remove(task)
            self.late += 1
            task.uncancel()

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        late_before = loop.time() - self._deadline_s
        for task, since in self._since.items():
            if since > late_before:
                break
            if task not in self._cancelled:
                self._cancelled.add(task)
                task.cancel()
        self._timer = None
        if self._since:
            self._timer = loop.call_later(self._deadline_s / LOOKS_PER_DEADLINE, self._look, loop)
