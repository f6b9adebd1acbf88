"""Compiled work on several threads at once. It holds no lock of the interpreter's, so it shares the cores.

What is shared must be independent of order: then no result depends on how many threads there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

R = TypeVar("R")


def shared(function: Callable[..., R], *columns: Iterable[Any], workers: int) -> list[R]:
    """`map(function, *columns)` in its order, by so many threads. None of it may share work in turn."""
    if workers <= 1:
        return list(map(function, *columns))
    return list(_pool(workers).map(function, *columns))


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    """Kept: a minute of a run shares a dozen pieces of work."""
    return ThreadPoolExecutor(workers, thread_name_prefix="simulate")
