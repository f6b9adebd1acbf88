"""Where consumers keep their place."""

from __future__ import annotations

from twit.core.entries import Delivery
from twit.core.events import Event, EventKind, LoggedEvent, Progress, Work, WorkVerb
from twit.core.ports import Stores

LOGGED = LoggedEvent(7, Event(kind=EventKind.TWEET_CREATED, key=1, actor=1, tweet=50, at_ms=3, request_id="r"))


def work(work_id: int, after: int = 0) -> Work:
    return Work(
        work_id=work_id, verb=WorkVerb.PUSH, author=1, tweet=50, ref=9, after=after, batch=2, created_ms=3, request_id="r"
    )


async def test_a_group_starts_at_nothing_and_keeps_its_place(stores: Stores) -> None:
    assert await stores.lanes("fanout")[0].log.offset("fanout") == 0
    await stores.work.advance([Progress(group="fanout", offset=5)])
    assert (await stores.lanes("fanout")[0].log.offset("fanout"), await stores.lanes("fanout")[0].log.offset("social")) == (5, 0)


async def test_a_place_once_reached_is_not_lost_to_a_repetition(stores: Stores) -> None:
    await stores.work.advance([Progress(group="fanout", offset=5), Progress(group="fanout", offset=3)])
    assert await stores.lanes("fanout")[0].log.offset("fanout") == 5


async def test_a_step_under_a_claimed_lease_stands_once_however_often_it_is_told(stores: Stores) -> None:
    await stores.work.claim("fanout", 1)
    step = Progress(group="fanout", offset=5, fence=1, number=1, put=(work(4),))
    await stores.work.advance([step])
    await stores.work.advance([step])
    assert await stores.lanes("fanout")[0].log.offset("fanout") == 5
    assert await stores.work.pending("fanout") == [work(4)]
    await stores.work.advance([Progress(group="fanout", offset=5, fence=1, number=2, done=(4,))])
    await stores.work.claim("fanout", 2)
    assert await stores.work.pending("fanout") == []
    assert await stores.lanes("fanout")[0].log.offset("fanout") == 5


async def test_continuations_wait_oldest_first_until_they_are_done(stores: Stores) -> None:
    await stores.work.advance([Progress(group="fanout", offset=9, put=(work(9), work(4)))])
    await stores.work.advance([Progress(group="fanout", offset=9, put=(work(9, after=1_000),), done=())])
    assert await stores.work.pending("fanout") == [work(4), work(9, after=1_000)]
    assert await stores.work.pending("social") == []
    await stores.work.advance([Progress(group="fanout", offset=9, done=(4, 77))])
    assert await stores.work.pending("fanout") == [work(9, after=1_000)]


async def test_a_delivery_is_recorded_once_by_tweet_and_batch(stores: Stores) -> None:
    first = Delivery(tweet=50, batch=0, attempted=3, stored=2, skipped=1, lag_ms=4)
    replay = Delivery(tweet=50, batch=0, attempted=3, duplicate=2, skipped=1, lag_ms=90)
    last = Delivery(tweet=50, batch=1, attempted=1, older_than_tail=1, filtered=0, pulled=0, last=True)
    await stores.work.advance([Progress(group="fanout", offset=1, deliveries=(last, first))])
    await stores.work.advance([Progress(group="fanout", offset=1, deliveries=(replay,))])
    assert await stores.work.deliveries([51, 50]) == [[], [first, last]]


async def test_an_event_that_came_twice_adds_nothing_to_a_whole_account(stores: Stores) -> None:
    whole = Delivery(tweet=50, batch=0, last=True)
    await stores.work.advance([Progress(group="fanout", offset=1, deliveries=(whole,))])
    more = (Delivery(tweet=50, batch=0, attempted=3, stored=3), Delivery(tweet=50, batch=1, attempted=1, filtered=1, last=True))
    await stores.work.advance([Progress(group="fanout", offset=2, deliveries=more)])
    assert await stores.work.deliveries([50]) == [[whole]]


async def test_a_parked_event_keeps_its_story_until_it_is_taken_back(stores: Stores) -> None:
    await stores.work.park("fanout", LOGGED, "ValueError: no", 11)
    (parked,) = await stores.work.parked("fanout", 0, 10)
    assert (parked.group, parked.logged, parked.error, parked.parked_ms) == ("fanout", LOGGED, "ValueError: no", 11)
    assert await stores.work.unpark([parked.parked_id, 999]) == [parked]
    assert await stores.work.unpark([parked.parked_id]) == []
    assert await stores.work.parked(None, 0, 10) == []


async def test_parking_the_same_event_again_parks_it_once(stores: Stores) -> None:
    for _ in range(2):
        await stores.work.park("fanout", LOGGED, "first", 11)
    await stores.work.park("social", LOGGED, "other group", 12)
    assert [one.error for one in await stores.work.parked(None, 0, 10)] == ["first", "other group"]
    assert [one.error for one in await stores.work.parked("social", 0, 10)] == ["other group"]


async def test_parked_events_page_upwards(stores: Stores) -> None:
    for offset in range(1, 6):
        await stores.work.park("fanout", LoggedEvent(offset, LOGGED.event), "no", 11)
    page = await stores.work.parked(None, 0, 2)
    rest = await stores.work.parked(None, page[-1].parked_id, 100)
    assert [one.logged.offset for one in page + rest] == [1, 2, 3, 4, 5]
