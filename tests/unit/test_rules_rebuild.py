"""Rule 12: a reader who returns after a week, or whose cached timeline is lost, is answered in full, and the row is built once."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from builders import home, make_friends, make_users, settle

from twit.core.entries import RowState
from twit.core.errors import StoreDown

WEEK_S = 7 * 86_400


async def row_of(twit, clock, reader):
    return await twit.stores.timelines.read(reader, 0, 10_000, clock.now_ms())


async def village(twit, count=5):
    """ada follows bob and cy, who have tweeted; ids newest first."""
    ada, bob, cy = await make_users(twit, "ada bob cy")
    await make_friends(twit, (ada, bob), (ada, cy))
    ids = [(await twit.post((bob, cy)[number % 2], "hi")).tweet_id for number in range(count)]
    await settle(twit)
    return ada, bob, ids[::-1]


def counted(monkeypatch, port, name):
    """How often a store's method was called, each call giving way to all others."""
    method, calls = getattr(port, name), []

    async def counting(*args, **more):
        calls.append(args)
        for _ in range(20):
            await asyncio.sleep(0)
        return await method(*args, **more)

    monkeypatch.setattr(port, name, counting)
    return calls


async def how(twit, reader):
    return (await twit.home_timeline(reader, explain=True)).explanation.row


async def test_rule_12_nobody_unseen_for_a_week_gets_pushes_and_who_returns_misses_nothing(twit, clock):
    ada, bob, ids = await village(twit)
    clock.advance(WEEK_S + 1)
    late = await twit.post(bob, "while you were away")
    await settle(twit)
    (delivery,) = (await twit.stores.work.deliveries((late.tweet_id,)))[0]
    assert (delivery.attempted, delivery.skipped) == (1, 1)
    assert (await row_of(twit, clock, ada)).state is RowState.ABSENT
    assert await how(twit, ada) == "rebuilt"
    assert await home(twit, ada) == [late.tweet_id, *ids]
    assert (await row_of(twit, clock, ada)).state is RowState.COMPLETE


async def test_rule_12_reading_now_and_then_keeps_a_timeline_alive(twit, clock):
    ada, bob, ids = await village(twit)
    for _ in range(4):
        clock.advance(WEEK_S * 0.6)
        assert await how(twit, ada) == "complete"
    late = await twit.post(bob, "pushed")
    await settle(twit)
    assert (await row_of(twit, clock, ada)).entries[:, 0].tolist() == [late.tweet_id, *ids]


async def test_rule_12_seen_is_written_at_most_once_an_hour(twit, clock, monkeypatch):
    ada, _, _ = await village(twit)
    touches = counted(monkeypatch, twit.stores.timelines, "touch")
    for _ in range(24):
        await twit.home_timeline(ada)
        clock.advance(600)
    assert len(touches) <= 4


async def test_rule_12_a_lost_cache_is_rebuilt_and_an_empty_page_is_never_the_answer(twit, clock):
    ada, _, ids = await village(twit)
    await twit.stores.timelines.drop((ada,))
    assert await how(twit, ada) == "rebuilt"
    assert await home(twit, ada, 2) == ids
    await twit.stores.timelines.drop((ada,))
    page = (await twit.home_timeline(ada, "", 2)).page
    await twit.stores.timelines.drop((ada,))
    rest = (await twit.home_timeline(ada, page.next_cursor, 200)).page
    assert [one.tweet_id for one in (*page.tweets, *rest.tweets)] == ids


async def test_rule_12_many_readers_of_a_lost_row_build_it_once(twit, clock, monkeypatch):
    ada, _, ids = await village(twit)
    await twit.stores.timelines.drop((ada,))
    twit.caches.clear()
    begun = counted(monkeypatch, twit.stores.timelines, "begin")
    read = counted(monkeypatch, twit.stores.graph, "following")
    pages = await asyncio.gather(*(twit.home_timeline(ada, explain=True) for _ in range(50)))
    assert [[one.tweet_id for one in page.page.tweets] for page in pages] == [ids] * 50
    assert sorted({page.explanation.row for page in pages}) == ["rebuilt", "waited"]
    assert (len(begun), len(read)) == (1, 2)  # once for the row, once for how ada sees the others


async def test_rule_12_who_waits_too_long_builds_for_himself_without_caching(open_twit, clock):
    twit = await open_twit(rebuild_wait_ms=50)
    ada, _, ids = await village(twit)
    await twit.stores.timelines.drop((ada,))
    await twit.stores.timelines.begin((ada,), clock.now_ms())  # another process, slow
    page = await twit.home_timeline(ada, explain=True)
    assert page.explanation.row == "uncached"
    assert [one.tweet_id for one in page.page.tweets] == ids
    assert await home(twit, ada, 2) == ids
    assert (await row_of(twit, clock, ada)).state is RowState.BUILDING


async def test_rule_12_a_builder_that_died_is_taken_over(open_twit, clock):
    twit = await open_twit(rebuild_wait_ms=50, rebuild_takeover_ms=1_000)
    ada, _, ids = await village(twit)
    await twit.stores.timelines.drop((ada,))
    (dead,) = await twit.stores.timelines.begin((ada,), clock.now_ms())
    clock.advance(1.1)
    assert await how(twit, ada) == "rebuilt"
    nothing = np.empty((0, 2), np.int64)
    assert not await twit.stores.timelines.replace(ada, nothing, 0, dead, clock.now_ms())  # it was only asleep
    assert await home(twit, ada) == ids


async def test_rule_12_a_tweet_made_while_the_row_is_built_is_in_it(twit, clock, monkeypatch):
    ada, bob, ids = await village(twit)
    await twit.stores.timelines.drop((ada,))
    replace, late = twit.stores.timelines.replace, []

    async def slow(*args):
        if not late:
            late.append((await twit.post(bob, "meanwhile")).tweet_id)
            await settle(twit)
        return await replace(*args)

    monkeypatch.setattr(twit.stores.timelines, "replace", slow)
    assert await home(twit, ada) == [*late, *ids]
    assert (await row_of(twit, clock, ada)).entries[:, 0].tolist() == [*late, *ids]


async def test_rule_12_a_tweet_deleted_while_the_row_is_built_is_not_brought_back(twit, clock, monkeypatch):
    ada, bob, ids = await village(twit)
    await twit.stores.timelines.drop((ada,))
    replace, deleted = twit.stores.timelines.replace, []
    theirs = (await twit.user_timeline(ada, bob)).tweets[0].tweet_id

    async def slow(*args):
        if not deleted:
            deleted.append(theirs)
            await twit.delete(bob, theirs)
            await settle(twit)
        return await replace(*args)

    monkeypatch.setattr(twit.stores.timelines, "replace", slow)
    left = [one for one in ids if one != theirs]
    assert await home(twit, ada) == left
    assert (await row_of(twit, clock, ada)).entries[:, 0].tolist() == left


async def test_rule_12_a_builder_whose_store_fails_leaves_nobody_waiting(twit, clock, monkeypatch):
    ada, _, ids = await village(twit)
    assert await home(twit, ada) == ids
    await twit.stores.timelines.drop((ada,))
    following, failures = twit.stores.graph.following, []

    async def failing(users):
        if not failures:
            failures.append(users)
            raise StoreDown("gone for a moment")
        return await following(users)

    monkeypatch.setattr(twit.stores.graph, "following", failing)
    with pytest.raises(StoreDown):
        await twit.home_timeline(ada)
    assert await how(twit, ada) == "rebuilt"
    assert await home(twit, ada) == ids


async def test_rule_12_a_row_lost_between_two_pages_is_no_end(open_twit, clock):
    twit = await open_twit(timeline_entries_max=4)
    ada, _, ids = await village(twit, count=20)
    seen, cursor, more = [], "", True
    while more:
        page = (await twit.home_timeline(ada, cursor, 3)).page
        seen += [one.tweet_id for one in page.tweets]
        cursor, more = page.next_cursor, page.has_more
        clock.advance(WEEK_S + 1)
    assert seen == ids
