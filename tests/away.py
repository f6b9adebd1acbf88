"""A store of cached timelines that is away: it answers some calls more, and then each with an error, or not at all."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager

from twit.core.errors import StoreDown

CALLS = ("push", "push_each", "read", "begin", "mark", "replace", "remove", "drop", "touch", "open_empty")


@contextmanager
def away(timelines, *, after=0, silent=False):
    """`after` so many calls every one fails until the end; `silent`: but for reads, which bound themselves, none ever answers.

    Yields the names of the calls that failed."""
    failed, left = [], after
    kept = {name: timelines.__dict__[name] for name in CALLS if name in timelines.__dict__}

    def failing(name):
        answers = getattr(timelines, name)

        async def call(*args):
            nonlocal left
            left -= 1
            if left >= 0:
                return await answers(*args)
            failed.append(name)
            if silent and name != "read":
                await asyncio.sleep(3_600)
            raise StoreDown("the timelines are away")

        return call

    for name, call in {name: failing(name) for name in CALLS}.items():
        setattr(timelines, name, call)
    try:
        yield failed
    finally:
        for name in CALLS:
            delattr(timelines, name)
        for name, call in kept.items():
            setattr(timelines, name, call)
