"""Who follows whom: edges as the truth, follower lists as they are carried there."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twit.core.clock import ManualClock
from twit.core.events import Event, EventKind
from twit.core.limits import Limits
from twit.core.model import Carried, FollowOutcome, FollowStatus, NewFollow, UserCounts
from twit.core.ports import Stores
from twit.core.stores.embedded import open_stores

MANY = 5_000
CREATED, CHANGED, UNCHANGED, FULL = FollowStatus

users = itertools.count(1_000_000)


@pytest.fixture(params=[6, 40])
def limits(request: pytest.FixtureRequest) -> Limits:
    return Limits(follower_chunk=request.param)  # so that a handful of followers fills several chunks


def edge(follower: int, followee: int, *, retweets: bool = True, merged: bool = False) -> NewFollow:
    followed = Event(kind=EventKind.FOLLOWED, key=follower, actor=follower, target=followee, at_ms=7)
    return NewFollow(follower=follower, followee=followee, retweets=retweets, merged=merged, events=(followed,))


def gone(follower: int, followee: int) -> tuple[Event, ...]:
    return (Event(kind=EventKind.UNFOLLOWED, key=follower, actor=follower, target=followee, at_ms=8),)


async def follow(stores: Stores, *pairs: tuple[int, int]) -> list[FollowOutcome]:
    return await stores.graph.follow([edge(*pair) for pair in pairs], MANY)


async def unfollow(stores: Stores, *pairs: tuple[int, int]) -> list[bool]:
    return await stores.graph.unfollow(pairs, [gone(*pair) for pair in pairs])


async def make_followers(stores: Stores, followee: int, followers: Sequence[int]) -> list[Carried]:
    pairs = [(follower, followee) for follower in followers]
    await follow(stores, *pairs)
    return await stores.graph.carry(pairs)


async def walked(stores: Stores, followee: int, limit: int) -> list[int]:
    met, cursor = [], 0
    while True:
        ids, cursor = await stores.graph.followers(followee, cursor, limit)
        assert len(ids) <= limit
        met += ids.tolist()
        if not cursor:
            return met


async def logged(stores: Stores) -> list[tuple[EventKind, int, int]]:
    return [(one.event.kind, one.event.actor, one.event.target) for one in await stores.log.read(0, 10_000)]


async def test_first_pages_of_many_lists_at_once(stores: Stores) -> None:
    for followee in range(900, 970):
        await make_followers(stores, followee, range(1, followee - 898))
    asked = [969, 900, 5, 903, *range(901, 969)]
    for limit in (3, 1_000):
        alone = [await stores.graph.followers(user, 0, limit) for user in asked]
        together = await stores.graph.followers_first(asked, limit)
        assert [(ids.tolist(), cursor) for ids, cursor in together] == [(ids.tolist(), cursor) for ids, cursor in alone]
    assert await stores.graph.followers_first([], 3) == []


async def test_a_follow_stands_at_once_and_is_told_of_once(stores: Stores) -> None:
    (made,) = await follow(stores, (1, 2))
    assert made.status is CREATED
    assert await follow(stores, (1, 2)) == [FollowOutcome(UNCHANGED, made.sequence)]
    assert await stores.graph.is_following([(1, 2), (2, 1)]) == [True, False]
    assert await logged(stores) == [(EventKind.FOLLOWED, 1, 2)]


async def test_the_event_of_a_follow_names_the_edge(stores: Stores) -> None:
    made = await follow(stores, *((1, followee) for followee in range(2, 60)))
    assert [one.event.ref for one in await stores.log.read(0, 100)] == [outcome.sequence for outcome in made]


async def test_retweets_of_a_followee_can_be_switched_off_and_on(stores: Stores) -> None:
    await follow(stores, (1, 2), (1, 3))
    (changed,) = await stores.graph.follow([edge(1, 2, retweets=False)], MANY)
    assert changed.status is CHANGED
    assert (await stores.graph.following([1]))[0].without_retweets == {2}
    await follow(stores, (1, 2))
    assert (await stores.graph.following([1]))[0].without_retweets == frozenset()
    assert len(await logged(stores)) == 4


async def test_nobody_follows_more_than_the_limit_however_the_follows_come(stores: Stores) -> None:
    at_once = await stores.graph.follow([edge(1, followee) for followee in range(2, 52)], 40)
    assert [outcome.status for outcome in at_once] == [CREATED] * 40 + [FULL] * 10
    assert [outcome.status for outcome in await stores.graph.follow([edge(1, 90), edge(1, 2)], 40)] == [FULL, UNCHANGED]
    assert await stores.accounts.counts([1]) == [UserCounts(following=40)]
    assert len(await logged(stores)) == 40


async def test_the_same_pair_many_times_in_one_call_is_one_edge(stores: Stores) -> None:
    made = await follow(stores, *[(1, 2)] * 50)
    assert [outcome.status for outcome in made] == [CREATED] + [UNCHANGED] * 49
    assert await stores.accounts.counts([1]) == [UserCounts(following=1)]


async def test_a_bulk_of_follows_some_of_which_stand_makes_the_others(stores: Stores) -> None:
    await follow(stores, (1, 30), (7, 8))
    made = await follow(stores, *((1, followee) for followee in range(2, 60)))
    assert [outcome.status for outcome in made] == [UNCHANGED if followee == 30 else CREATED for followee in range(2, 60)]
    assert await stores.accounts.counts([1, 7]) == [UserCounts(following=58), UserCounts(following=1)]
    assert len(await logged(stores)) == 59


async def test_unfollow_takes_only_what_stood_and_tells_only_of_that(stores: Stores) -> None:
    await follow(stores, (1, 2), (1, 3))
    assert await unfollow(stores, (1, 3), (1, 9), (1, 3)) == [True, False, False]
    assert (await stores.graph.following([1]))[0].followees == (2,)
    assert await stores.accounts.counts([1]) == [UserCounts(following=1)]
    assert (await logged(stores))[2:] == [(EventKind.UNFOLLOWED, 1, 3)]


async def test_following_again_is_another_edge(stores: Stores) -> None:
    (first,) = await follow(stores, (1, 2))
    await unfollow(stores, (1, 2))
    (second,) = await follow(stores, (1, 2))
    assert second.status is CREATED
    assert second.sequence > first.sequence


async def test_followees_come_whole_in_order_of_follow(stores: Stores) -> None:
    order = [*range(300, 2, -1)]
    await stores.graph.follow([edge(1, followee, merged=True) for followee in order], MANY)
    nobody, somebody = await stores.graph.following([2, 1])
    assert somebody.followees == tuple(order)
    assert somebody.unmerged == ()
    assert nobody.followees == ()


async def test_a_new_edge_is_pulled_until_it_is_merged(stores: Stores) -> None:
    first, second = await follow(stores, (1, 2), (1, 3))
    assert (await stores.graph.following([1]))[0].unmerged == ((2, first.sequence), (3, second.sequence))
    await stores.graph.mark_merged([(1, 2, first.sequence), (1, 3, second.sequence + 1)])
    assert (await stores.graph.following([1]))[0].unmerged == ((3, second.sequence),)


async def test_pages_of_followees_go_from_the_newest_down(stores: Stores) -> None:
    await follow(stores, *((1, followee) for followee in range(2, 12)))
    page = await stores.graph.following_page(1, 0, 4)
    rest = await stores.graph.following_page(1, page[-1].sequence, 100)
    assert [one.user_id for one in page + rest] == [*range(11, 1, -1)]


async def test_followers_are_there_once_carried(stores: Stores) -> None:
    await follow(stores, (1, 9), (2, 9))
    assert await walked(stores, 9, 10) == []
    assert await stores.graph.carry([(2, 9), (1, 9)]) == [
        Carried(1, added=True, removed=False),
        Carried(2, added=True, removed=False),
    ]
    assert await walked(stores, 9, 10) == [2, 1]
    assert await stores.accounts.counts([9]) == [UserCounts(followers=2)]


async def test_carrying_again_changes_nothing(stores: Stores) -> None:
    await make_followers(stores, 9, range(100, 150))
    pairs = [(follower, 9) for follower in range(100, 150)]
    assert await stores.graph.carry(pairs) == [Carried(50, added=False, removed=False)] * 50
    assert await walked(stores, 9, 7) == [*range(100, 150)]


@pytest.mark.parametrize("many", [1, 50])
async def test_the_same_pair_twice_in_one_carry_is_carried_once(stores: Stores, many: int) -> None:
    await follow(stores, (1, 9))
    carried = await stores.graph.carry([(1, 9)] * (many + 1))
    assert carried == [Carried(1, added=True, removed=False)] + [Carried(1, added=False, removed=False)] * many


async def test_carry_follows_the_truth_and_not_the_story(stores: Stores) -> None:
    await make_followers(stores, 9, [1, 2, 3])
    await unfollow(stores, (1, 9), (2, 9))
    await follow(stores, (2, 9))  # came back before anybody carried that he had gone
    carried = await stores.graph.carry([(1, 9), (2, 9), (5, 9)])
    assert carried == [
        Carried(2, added=False, removed=True),
        Carried(2, added=False, removed=False),
        Carried(2, added=False, removed=False),
    ]
    assert await walked(stores, 9, 10) == [2, 3]
    assert await stores.accounts.counts([9]) == [UserCounts(followers=2)]


async def test_a_bulk_carry_where_some_came_and_some_went(stores: Stores) -> None:
    await make_followers(stores, 9, range(100, 140))
    await unfollow(stores, *((follower, 9) for follower in range(100, 120)))
    await follow(stores, *((follower, 9) for follower in range(200, 220)))
    carried = await stores.graph.carry([(follower, 9) for follower in (*range(100, 140), *range(200, 220))])
    assert carried[-1] == Carried(40, added=True, removed=False)
    assert await walked(stores, 9, 11) == [*range(120, 140), *range(200, 220)]


@pytest.mark.parametrize("beyond", [0, 1 << 40], ids=["ids", "large ids"])
async def test_a_bulk_carry_of_new_edges_of_which_some_do_not_stand(stores: Stores, beyond: int) -> None:
    pairs = [(beyond + follower, beyond + 900 + follower % 3) for follower in range(1, 60)]
    await follow(stores, *pairs[:20], *pairs[21:])
    carried = await stores.graph.carry(pairs)
    assert [one.added for one in carried] == [True] * 20 + [False] + [True] * 38
    for followee in {followee for _, followee in pairs}:
        assert await walked(stores, followee, 5) == [one for one, other in pairs if other == followee and one != pairs[20][0]]
    assert sum(counts.followers for counts in await stores.accounts.counts([beyond + 900, beyond + 901, beyond + 902])) == 58


async def test_bulk_carries_to_many_lists_at_once(stores: Stores) -> None:
    pairs = [(follower, 900 + follower % 7) for follower in range(1, 200)]
    await follow(stores, *pairs)
    await stores.graph.carry(pairs[:120])
    await stores.graph.carry(pairs[120:])
    for followee in range(900, 907):
        assert await walked(stores, followee, 5) == [one for one, other in pairs if other == followee]


async def test_pages_of_followers_go_from_the_newest_down(stores: Stores) -> None:
    await make_followers(stores, 9, range(1, 30))
    await unfollow(stores, (25, 9), (3, 9))
    await stores.graph.carry([(25, 9), (3, 9)])
    met, before = [], 0
    while page := await stores.graph.followers_page(9, before, 4):
        met += [one.user_id for one in page]
        before = page[-1].sequence
    assert met == [one for one in range(29, 0, -1) if one not in {3, 25}]


async def test_a_list_that_everybody_left_fills_again(stores: Stores) -> None:
    await make_followers(stores, 9, range(1, 50))
    await unfollow(stores, *((follower, 9) for follower in range(1, 50)))
    await stores.graph.carry([(follower, 9) for follower in range(1, 50)])
    assert await walked(stores, 9, 10) == []
    assert await stores.graph.followers_page(9, 0, 10) == []
    await make_followers(stores, 9, [7, 5])
    assert await walked(stores, 9, 10) == [7, 5]
    assert await stores.accounts.counts([9]) == [UserCounts(followers=2)]


async def test_a_place_in_a_walk_outlives_everybody(stores: Stores) -> None:
    await make_followers(stores, 9, range(1, 50))
    _, cursor = await stores.graph.followers(9, 0, 30)
    await unfollow(stores, *((follower, 9) for follower in range(1, 50)))
    await stores.graph.carry([(follower, 9) for follower in range(1, 50)])
    await make_followers(stores, 9, [70, 50])
    ids, _ = await stores.graph.followers(9, cursor, 10)
    assert ids.tolist() == [70, 50]


@pytest.mark.parametrize("stores", ["embedded", "embedded-inline"], indirect=True)  # the second one opens a folder
async def test_two_who_open_the_same_stores_keep_one_truth(
    stores: Stores, limits: Limits, clock: ManualClock, tmp_path: Path
) -> None:
    other = open_stores(tmp_path / "stores", limits, clock, durable=False)
    try:
        for first in range(100, 300, 20):
            mine, theirs = ([(follower, 9) for follower in range(start, start + 15)] for start in (first, first + 5))
            await asyncio.gather(follow(stores, *mine), follow(other, *theirs))
            await asyncio.gather(stores.graph.carry(theirs), other.graph.carry(mine))
        listed = await walked(stores, 9, 7)
        assert sorted(listed) == [*range(100, 300)]
        assert await walked(other, 9, 1_000) == listed
        assert await other.accounts.counts([9]) == [UserCounts(followers=200)]
        assert len({one.event.ref for one in await stores.log.read(0, 1_000)}) == len(await other.log.read(0, 1_000)) == 200
    finally:
        await other.health.close()


async def test_a_walk_ends_exactly_with_the_last_follower(stores: Stores) -> None:
    await make_followers(stores, 9, range(1, 13))
    _, cursor = await stores.graph.followers(9, 0, 11)
    assert cursor
    ids, cursor = await stores.graph.followers(9, cursor, 1)
    assert (ids.tolist(), cursor) == ([12], 0)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("come"), st.lists(st.integers(1, 60), min_size=1, max_size=45)),
        st.tuples(st.just("go"), st.lists(st.integers(1, 60), min_size=1, max_size=45)),
        st.tuples(st.just("walk"), st.integers(1, 9)),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
async def test_who_stays_is_met_exactly_once_by_a_walk_whatever_comes_and_goes(
    stores: Stores, story: list[tuple[str, object]]
) -> None:
    followee = next(users)
    listed: dict[int, None] = {}  # who follows, in order of arrival
    met: list[int] = []
    stayed: set[int] = set()
    cursor, walking = 0, False
    for verb, what in [*story, ("walk", 1_000)]:
        if verb == "walk":
            if not walking:
                met, stayed, cursor, walking = [], set(listed), 0, True
            ids, cursor = await stores.graph.followers(followee, cursor, what)
            met += ids.tolist()
            if not cursor:
                assert sorted(one for one in met if one in stayed) == sorted(stayed)
                walking = False
            continue
        pairs = [(follower, followee) for follower in what]
        await (follow if verb == "come" else unfollow)(stores, *pairs)
        await stores.graph.carry(pairs)
        for follower in what:
            if verb == "come":
                listed.setdefault(follower)
            else:
                listed.pop(follower, None)
        stayed &= set(listed) if verb == "go" else stayed
    assert await walked(stores, followee, 1_000) == list(listed)
    assert await walked(stores, followee, 1) == list(listed)
    assert [one.user_id for one in await stores.graph.followers_page(followee, 0, 1_000)] == list(listed)[::-1]
    assert (await stores.accounts.counts([followee]))[0].followers == len(listed)
