"""The store of cached timelines is down, silent or full: homes are read from truth, people go on, and nothing is missing after."""

from __future__ import annotations

import time

import pytest
from away import away
from builders import crowd, home, make_friends, make_user, make_users, settle, town

from twit.core.entries import RowState
from twit.core.errors import StoreDown
from twit.core.limits import DAY_MS
from twit.core.patience import PATIENCE_PART

DEADLINE_MS = 500


async def how(twit, reader):
    return (await twit.home_timeline(reader, explain=True)).explanation.row


async def row_of(twit, clock, reader):
    return await twit.stores.timelines.read(reader, 0, 10_000, clock.now_ms())


async def test_homes_are_read_from_truth_page_by_page(twit):
    cleo, ids = await town(twit)
    with away(twit.stores.timelines) as failed:
        assert await home(twit, cleo, 5) == ids
        assert await how(twit, cleo) == "uncached"
    assert set(failed) == {"read"}  # nothing was built or dropped where nothing answers
    assert await how(twit, cleo) == "complete"


@pytest.mark.parametrize("after", range(12))
@pytest.mark.parametrize("silent", [False, True], ids=["down", "silent"])
async def test_a_page_is_whole_whenever_the_store_goes_away(open_twit, after, silent):
    twit = await open_twit(request_deadline_ms=DEADLINE_MS)
    cleo, ids = await town(twit)
    await twit.stores.timelines.drop((cleo,))
    with away(twit.stores.timelines, after=after, silent=silent):
        assert await home(twit, cleo, 3) == ids
    assert await home(twit, cleo, 3) == ids


async def test_a_builder_that_lost_the_store_keeps_nobody_waiting(open_twit):
    twit = await open_twit(request_deadline_ms=DEADLINE_MS)
    cleo, ids = await town(twit)
    await twit.stores.timelines.drop((cleo,))
    with away(twit.stores.timelines, after=2) as failed:
        assert await home(twit, cleo) == ids
    assert failed[:2] == ["replace", "drop"]
    assert await home(twit, cleo) == ids  # the row is still building, by a builder who is gone
    await twit.stores.timelines.drop((cleo,))
    assert await how(twit, cleo) == "rebuilt"


@pytest.mark.parametrize("after", range(1, 6))
async def test_a_reply_stands_with_its_parent_though_the_row_cannot_be_told(open_twit, after):
    twit = await open_twit(celebrity_followers_min=2, celebrity_followers_exit=2)
    star, bob, *fans = await make_users(twit, "star bob f1 f2 f3")
    await make_friends(twit, *((fan, star) for fan in fans), (fans[0], bob))
    parent = (await twit.post(bob, "parent")).tweet_id
    between = [(await twit.post(star, "between")).tweet_id for _ in range(3)]
    answer = (await twit.post(star, "answer", reply_to=parent)).tweet_id
    for size in (2, 50):
        with away(twit.stores.timelines, after=after):
            assert await home(twit, fans[0], size) == [answer, *between[::-1], parent]


async def test_a_row_that_was_read_is_shown_though_it_cannot_be_noted_as_seen(twit, clock):
    cleo, ids = await town(twit)
    clock.advance(DAY_MS / 1_000)
    with away(twit.stores.timelines, after=1) as failed:
        assert await how(twit, cleo) == "complete"
    assert failed == ["touch"]
    assert await home(twit, cleo) == ids


async def test_people_go_on_and_all_that_happened_is_on_the_rows_afterwards(twit, clock):
    cleo, ids = await town(twit)
    ada, bob = await make_users(twit, "dan eve")
    await make_friends(twit, (cleo, ada), (bob, ada))
    with away(twit.stores.timelines):
        first = (await twit.post(ada, "while it is away")).tweet_id
        await twit.follow(ada, cleo)
        await twit.unfollow(bob, ada)
        assert await twit.like(cleo, first)
        newcomer = await make_user(twit, "fay")
        await twit.follow(newcomer, ada)
        with pytest.raises(StoreDown):
            await settle(twit)
        second = (await twit.post(ada, "more")).tweet_id
        assert await home(twit, cleo) == [second, first, *ids]
        assert (await home(twit, ada))[:2] == [second, first]
        assert await home(twit, newcomer) == [second, first]
        assert await home(twit, bob) == []
    await settle(twit)
    for reader, expected in ((cleo, [second, first, *ids]), (newcomer, [second, first]), (bob, [])):
        assert await home(twit, reader) == expected
        row = await row_of(twit, clock, reader)
        assert (row.state, row.entries[:, 0].tolist()) == (RowState.COMPLETE, expected)
    assert await twit.stores.work.parked(None, 0, 10) == []


async def test_a_silent_store_takes_a_part_of_the_deadline_from_each_who_acts(open_twit):
    twit = await open_twit(request_deadline_ms=DEADLINE_MS)
    ada, (fan,) = await crowd(twit, 1)
    part_s = DEADLINE_MS / 1_000 / PATIENCE_PART

    async def took(act):
        began = time.monotonic()
        answer = await act
        return answer, time.monotonic() - began

    with away(twit.stores.timelines, silent=True):
        tweet, waited = await took(twit.post(ada, "hello"))
        assert part_s <= waited < 4 * part_s
        _, waited = await took(twit.accounts.seen(fan))
        assert part_s <= waited < 4 * part_s
        assert await make_user(twit, "gil")
    await settle(twit)
    assert await home(twit, fan) == [tweet.tweet_id]


async def test_that_rows_are_away_is_said_once(twit, caplog):
    cleo, _ = await town(twit)
    for _ in range(2):
        with away(twit.stores.timelines):
            for _ in range(3):
                assert await how(twit, cleo) == "uncached"
        assert await how(twit, cleo) == "complete"
    assert caplog.text.count("without their rows") == 2
