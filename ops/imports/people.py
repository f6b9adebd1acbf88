"""Accounts and follow edges in bulk: what both imports begin with. Every step may be repeated.

Imported people cannot log in: they have no password and no e-mail. A name that belongs to somebody who can is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from operator import itemgetter
from typing import TypeVar

import numpy as np

from ...core.errors import Conflict, Invalid, StoreDown, StoreTimeout
from ...core.events import Event, EventKind
from ...core.model import FollowStatus, NewAccount, NewFollow
from ...core.service import Twit

T = TypeVar("T")
TRIES, PAUSE_S = 6, 0.5  # of one batch while a store is away or busy: some ten seconds in all
BATCH = 5_000  # rows a store call: some hundred milliseconds of one durable write
Progress = Callable[[str, int, int], None]  # step, done, total


async def persist(act: Callable[[], Awaitable[T]]) -> T:
    """`act`, which may be repeated, again where a store was away or busy: a long import outlives a short trouble."""
    for tried in range(1, TRIES):
        try:
            return await act()
        except (StoreDown, StoreTimeout):
            await asyncio.sleep(PAUSE_S * tried)
    return await act()


def batches(items: Sequence[T], size: int = BATCH) -> Iterator[Sequence[T]]:
    """Cut into pieces of at most `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))


async def ensure_people(twit: Twit, prefix: str, numbers: Sequence[int], now_ms: int, progress: Progress) -> tuple[dict[int, int], int]:
    """Give every number of the file an account named prefix + number, seen at `now_ms`.

    Returns number → user id, and how many accounts are new. Raises `Conflict` where a name belongs to a person,
    `Invalid` where prefix and number make no name.
    """
    _check_prefix(twit, prefix, max(numbers, default=0))
    users: dict[int, int] = {}
    new = 0
    progress("accounts", 0, len(numbers))
    for chunk in batches(numbers):
        ids, made = await persist(partial(_ensure, twit, [f"{prefix}{number}" for number in chunk], now_ms))
        users.update(zip(chunk, ids, strict=True))
        new += made
        await persist(partial(_open_rows, twit, ids, now_ms))
        progress("accounts", len(users), len(numbers))
    return users, new


async def _ensure(twit: Twit, names: Sequence[str], now_ms: int) -> tuple[list[int], int]:
    """The ids of these names, made where there were none, and how many were."""
    found = await twit.stores.accounts.ids_of(names)
    await _refuse_persons(twit, [user_id for user_id in found if user_id])
    wanted = [name for name, user_id in zip(names, found, strict=True) if not user_id]
    made = await twit.stores.accounts.create([
        NewAccount(username=name, email="", password_hash="", display_name=name, created_ms=now_ms) for name in wanted
    ]) if wanted else []
    fresh = iter(made)
    return [user_id or next(fresh).user_id for user_id in found], len(made)


def _check_prefix(twit: Twit, prefix: str, largest: int) -> None:
    longest = len(f"{prefix}{largest}")
    if longest > twit.limits.username_chars_max or not (prefix.isascii() and prefix.replace("_", "a").isalnum()):
        raise Invalid(
            f"prefix {prefix!r} with {largest} makes no user name", field="prefix",
            meaning=f"names are 1 to {twit.limits.username_chars_max} of A-Z a-z 0-9 _",
        )


async def _refuse_persons(twit: Twit, user_ids: Sequence[int]) -> None:
    for user in await twit.stores.accounts.get(user_ids):
        if user is not None and user.email:
            raise Conflict(
                f"@{user.username} is somebody's account", meaning="an import would post in his name", try_="choose another --prefix",
            )


async def _open_rows(twit: Twit, user_ids: Sequence[int], now_ms: int) -> None:
    counts = await twit.stores.accounts.counts(user_ids)
    blank = [user for user, count in zip(user_ids, counts, strict=True) if count.following == 0 and count.tweets == 0]
    await twit.stores.timelines.open_empty(np.array(blank, dtype=np.int64), now_ms)
    await twit.stores.timelines.touch(np.array(user_ids, dtype=np.int64), now_ms)


async def follow_all(twit: Twit, edges: Sequence[tuple[int, int]], now_ms: int, progress: Progress) -> dict[FollowStatus, int]:
    """Make (follower, followee) edges, carry them to the follower lists, and let fan-out reconsider whoever has very many.

    An edge to somebody who has not posted needs no merge. One event a follower and batch tells running servers. Made in order of
    follower, of whom each keeps the order of his, and carried in order of followee: so each page and each packed list is
    written once and not once a batch.
    """
    tally = dict.fromkeys(FollowStatus, 0)
    done = 0
    for chunk in batches(sorted(edges, key=itemgetter(0))):
        progress("follows", done, len(edges))
        followees = sorted({followee for _, followee in chunk})
        counts = await persist(partial(twit.stores.accounts.counts, followees))
        silent = {followee for followee, count in zip(followees, counts, strict=True) if count.tweets == 0}
        follows = _new_follows(chunk, silent, now_ms)
        for outcome in await persist(partial(twit.stores.graph.follow, follows, twit.limits.following_max)):
            tally[outcome.status] += 1
        done += len(chunk)
    progress("follows", done, len(edges))
    await _carry_all(twit, sorted(edges, key=lambda edge: (edge[1], edge[0])), now_ms, progress)
    return tally


async def _carry_all(twit: Twit, edges: Sequence[tuple[int, int]], now_ms: int, progress: Progress) -> None:
    """Said of whoever has enough followers, at every run: one that was killed may have carried and not said so."""
    done = 0
    for chunk in batches(edges):
        progress("follower lists", done, len(edges))
        carried = await persist(partial(twit.stores.graph.carry, chunk))
        followers = {followee: one.followers for (_, followee), one in zip(chunk, carried, strict=True)}
        famous = [followee for followee, many in followers.items() if many > twit.limits.celebrity_followers_min]
        if famous:
            await twit.stores.log.append([Event(kind=EventKind.MODE_CHECK, key=one, actor=one, at_ms=now_ms) for one in famous])
        done += len(chunk)
    progress("follower lists", done, len(edges))


def _new_follows(chunk: Iterable[tuple[int, int]], silent: set[int], now_ms: int) -> list[NewFollow]:
    told: set[int] = set()
    follows = []
    for follower, followee in chunk:
        merged = followee in silent
        events: tuple[Event, ...] = ()
        if not merged or follower not in told:
            told.add(follower)
            events = (Event(kind=EventKind.FOLLOWED, key=follower, actor=follower, target=followee, at_ms=now_ms),)
        follows.append(NewFollow(follower=follower, followee=followee, merged=merged, created_ms=now_ms, events=events))
    return follows
