"""The leases of embedded stores in a folder, opened by another process: for tests of who may do what only one may do."""

from __future__ import annotations

from pathlib import Path

from twit.core.clock import SystemClock
from twit.core.limits import Limits
from twit.core.ports import Leases
from twit.core.stores.embedded import open_stores


async def open_leases(folder: str) -> Leases:
    """Made if they are missing."""
    return open_stores(Path(folder), Limits(), SystemClock(), durable=False).leases
