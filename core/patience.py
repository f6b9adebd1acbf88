"""How long a request waits for a cache that it can do without: a part of its deadline, so that what is left is enough for the truth.

Only for what serves one request; whoever fills caches by the way of events waits for them as for any store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from .errors import StoreTimeout
from .limits import Limits

T = TypeVar("T")

PATIENCE_PART = 5  # of `request_deadline_ms`: a request may meet a cache that is away three times, and then asks the truth


async def soon(limits: Limits, answer: Awaitable[T]) -> T:
    """The answer, or `StoreTimeout`; then what was asked for may be done all the same."""
    try:
        async with asyncio.timeout(limits.request_deadline_ms / 1_000 / PATIENCE_PART):
            return await answer
    except TimeoutError as error:
        what = f"no answer within {limits.request_deadline_ms // PATIENCE_PART} ms, and the request cannot wait longer"
        raise StoreTimeout(what) from error
