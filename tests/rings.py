"""Rings of embedded stores for tests of what befalls their files: one that holds two tweets, open or closed."""

from __future__ import annotations

import numpy as np
from timeline_builders import NOW, entries

from twit.core.entries import RowState
from twit.core.limits import Limits
from twit.core.stores.embedded.ring import open_ring

LIMITS = Limits(timeline_entries_max=5, store_timeout_ms=200)


async def shown(ring, reader):
    row = await ring.read(reader, 0, 100, NOW)
    return None if row.state is RowState.ABSENT else row.entries[:, 0].tolist()


async def filled(folder):
    """An open ring in which reader 1 has the tweets 10 and 20."""
    ring = open_ring(folder, LIMITS)
    await ring.open_empty(np.array([1]), NOW)
    await ring.push(entries(20, 10), np.array([1]), NOW)
    return ring


async def left(folder):
    (await filled(folder)).close()
