"""Requests to follow private accounts, and how they turn into follows. Asks nobody for permission: its callers have."""

from __future__ import annotations

from collections.abc import Sequence

from .events import Event, EventKind
from .limits import Limits
from .model import AccountStatus, FollowRequest, FollowStatus, NewFollow
from .ports import Stores


async def accept(stores: Stores, limits: Limits, requests: Sequence[FollowRequest], now_ms: int) -> list[bool]:
    """Make the edges, then close the requests: a crash between leaves a request that can be accepted again.

    False where the requester follows `following_max` already; his request stays open.
    """
    there = await stores.accounts.get([request.requester for request in requests])
    alive = [user is not None and user.status is not AccountStatus.DELETED for user in there]
    edges = [_edge(request, now_ms) for request, lives in zip(requests, alive, strict=True) if lives]
    made = iter(await stores.graph.follow(edges, limits.following_max))
    fits = [not lives or next(made).status is not FollowStatus.FULL for lives in alive]
    await close(stores, [request for request, fit in zip(requests, fits, strict=True) if fit], now_ms)
    return fits


async def accept_all(stores: Stores, limits: Limits, target: int, now_ms: int) -> None:
    """Accept every open request to `target`, as an account does that turns public."""
    before = 0
    while requests := await stores.relations.requests_page(target, before, limits.event_batch):
        await accept(stores, limits, requests, now_ms)
        before = requests[-1].request_id


async def close(stores: Stores, requests: Sequence[FollowRequest], now_ms: int) -> list[bool]:
    """Close them; false where one was not open."""
    events = [(_closed(request, now_ms),) for request in requests]
    return await stores.relations.close_requests([request.request_id for request in requests], events)


def _edge(request: FollowRequest, now_ms: int) -> NewFollow:
    event = Event(
        kind=EventKind.FOLLOWED, key=request.requester, actor=request.requester, target=request.target, at_ms=now_ms
    )
    return NewFollow(
        follower=request.requester,
        followee=request.target,
        retweets=request.retweets,
        created_ms=now_ms,
        events=(event,),
    )


def _closed(request: FollowRequest, now_ms: int) -> Event:
    return Event(
        kind=EventKind.FOLLOW_REQUEST_CLOSED,
        key=request.requester,
        actor=request.requester,
        target=request.target,
        ref=request.request_id,
        at_ms=now_ms,
    )
