"""Asks once a turn of the event loop whether the log moved, for all requests that are begun in that turn.

Whoever is begun in a turn came in before the question was asked: the loop runs what is ready in order, so that the note to ask
again stands before everything that comes in after it. So every write acknowledged before a request was sent is known to it.
For requests from sockets, each in a task of its own; the core's own doors ask for themselves.
"""

from __future__ import annotations

import asyncio

from ..caches import Caches


class Turns:
    """Of one event loop."""

    def __init__(self, caches: Caches) -> None:
        self._caches = caches
        self._asked = self._in_step = False

    def in_step(self) -> bool:
        """Whether the caches know everything that was durable when this request came in."""
        if not self._asked:
            self._in_step = self._caches.in_step()
            self._asked = True
            asyncio.get_running_loop().call_soon(self._next)
        return self._in_step

    def _next(self) -> None:
        self._asked = False
