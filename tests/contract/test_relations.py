"""Blocks, mutes and requests to follow."""

from __future__ import annotations

import pytest

from twit.core.events import Event, EventKind
from twit.core.model import Blocks, FollowRequest, Relation
from twit.core.ports import Stores

BLOCK, MUTE = Relation


def event(kind: EventKind = EventKind.BLOCKED) -> tuple[Event, ...]:
    return (Event(kind=kind, key=1, actor=1, target=2, at_ms=5),)


async def ask(stores: Stores, requester: int, target: int, *, retweets: bool = True) -> int:
    asked = event(EventKind.FOLLOW_REQUESTED)
    return await stores.relations.request_follow(requester, target, retweets=retweets, at_ms=5, events=asked)


async def events(stores: Stores) -> list[EventKind]:
    return [one.event.kind for one in await stores.log.read(0, 100)]


async def test_a_block_hides_each_from_the_other(stores: Stores) -> None:
    assert await stores.relations.relate(BLOCK, 1, 2, event(), 5)
    one, other, stranger = await stores.relations.blocks([1, 2, 3])
    assert one == Blocks(blocked=frozenset({2}))
    assert other == Blocks(blocked_by=frozenset({1}))
    assert stranger == Blocks()


async def test_a_mute_hides_one_way_only(stores: Stores) -> None:
    assert await stores.relations.relate(MUTE, 1, 2, event(), 5)
    assert await stores.relations.blocks([1, 2]) == [Blocks(muted=frozenset({2})), Blocks()]


async def test_block_and_mute_stand_side_by_side(stores: Stores) -> None:
    await stores.relations.relate(MUTE, 1, 2, event(), 5)
    await stores.relations.relate(BLOCK, 1, 2, event(), 5)
    assert await stores.relations.unrelate(BLOCK, 1, 2, event())
    assert await stores.relations.blocks([1, 2]) == [Blocks(muted=frozenset({2})), Blocks()]


@pytest.mark.parametrize("kind", list(Relation))
async def test_saying_it_twice_tells_of_it_once(stores: Stores, kind: Relation) -> None:
    assert [await stores.relations.relate(kind, 1, 2, event(), 5) for _ in range(2)] == [True, False]
    assert [await stores.relations.unrelate(kind, 1, 2, event(EventKind.UNBLOCKED)) for _ in range(2)] == [True, False]
    assert await events(stores) == [EventKind.BLOCKED, EventKind.UNBLOCKED]


async def test_pages_of_blocked_people_go_from_the_newest_down(stores: Stores) -> None:
    for target in range(2, 9):
        await stores.relations.relate(BLOCK, 1, target, (), 5)
    await stores.relations.relate(MUTE, 1, 50, (), 5)
    page = await stores.relations.related_page(BLOCK, 1, 0, 3)
    rest = await stores.relations.related_page(BLOCK, 1, page[-1].sequence, 100)
    assert [one.user_id for one in page + rest] == [8, 7, 6, 5, 4, 3, 2]


async def test_one_request_a_pair_is_open_at_a_time(stores: Stores) -> None:
    first = await ask(stores, 1, 2, retweets=False)
    assert await ask(stores, 1, 2) == first
    assert await stores.relations.request(first) == FollowRequest(first, 1, 2, retweets=False, created_ms=5)
    assert await stores.relations.request_between(1, 2) == await stores.relations.request(first)
    assert await stores.relations.request_between(2, 1) is None
    assert await events(stores) == [EventKind.FOLLOW_REQUESTED]


async def test_closing_a_request_is_told_of_once_and_asking_again_is_another(stores: Stores) -> None:
    first = await ask(stores, 1, 2)
    closed = event(EventKind.FOLLOW_REQUEST_CLOSED)
    assert await stores.relations.close_requests([first, first, 999], [closed] * 3) == [True, False, False]
    assert await stores.relations.request(first) is None
    assert await ask(stores, 1, 2) > first
    kinds = [EventKind.FOLLOW_REQUESTED, EventKind.FOLLOW_REQUEST_CLOSED, EventKind.FOLLOW_REQUESTED]
    assert await events(stores) == kinds


async def test_pages_of_requests_go_from_the_newest_down(stores: Stores) -> None:
    ids = [await ask(stores, requester, 1) for requester in range(2, 9)]
    await ask(stores, 2, 77)
    page = await stores.relations.requests_page(1, 0, 3)
    rest = await stores.relations.requests_page(1, page[-1].request_id, 100)
    assert [one.request_id for one in page + rest] == ids[::-1]


async def test_a_block_withdraws_requests_between_the_two_and_no_others(stores: Stores) -> None:
    for requester, target in ((1, 2), (2, 1), (1, 3), (3, 2)):
        await ask(stores, requester, target)
    await stores.relations.relate(BLOCK, 1, 2, event(), 5)
    left = [await stores.relations.request_between(*pair) for pair in ((1, 2), (2, 1), (1, 3), (3, 2))]
    assert [one is not None for one in left] == [False, False, True, True]
