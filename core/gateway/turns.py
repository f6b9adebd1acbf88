"""Asks once a turn of the event loop whether the log moved, for all requests that are begun in that turn.

Whoever is begun in a turn came in before the question was asked: the loop runs what is ready in order, so that the note to ask
again stands before everything that comes in after it. So every write acknowledged before a request was sent is known to it.
For requests that have a task each, as a server's have: a task that comes twice in a turn asks twice, for it may have written between.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ..caches import Caches


class Turns:
    """Of one event loop."""

    def __init__(self, caches: Caches) -> None:
        self._caches = caches
        self._in_step = False
        self._answered: set[asyncio.Task[Any] | None] = set()  # in this turn

    def in_step(self) -> bool:
        """Whether the caches know everything that was durable when this request came in."""
        task = asyncio.current_task()
        if not self._answered:
            asyncio.get_running_loop().call_soon(self._answered.clear)
            self._in_step = self._caches.in_step()
        elif task in self._answered:
            self._in_step = self._caches.in_step()
        self._answered.add(task)
        return self._in_step
