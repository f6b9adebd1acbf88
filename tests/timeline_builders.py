"""Entries and readers for tests of stores of cached timelines, and what they ask of one again and again."""

from __future__ import annotations

import numpy as np

from twit.core.entries import Push

NOW = 1_750_000_000_000
SHOWN = 5
WEEK = 7 * 86_400_000


def entries(*ids, ref=0):
    return np.array([(i, ref) for i in ids], np.int64).reshape(-1, 2)


def readers(*ids):
    return np.array(ids, np.int64)


async def empty_rows(stores, *ids):
    await stores.timelines.open_empty(readers(*ids), NOW)


async def shown(stores, reader, now=NOW):
    return (await stores.timelines.read(reader, 0, 100, now)).entries[:, 0].tolist()


async def put(stores, reader, *ids, floor=0):
    outcomes = await stores.timelines.push(entries(*ids), readers(reader), NOW, floor)
    return [Push(int(value)).name for value in outcomes[:, 0]]
