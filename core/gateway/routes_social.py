"""Follows, blocks, mutes, requests to follow, and lists of people. Repeating a request answers the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from ..model import Relation
from ..shown import Follow, Page
from .bodies import parse
from .encode import UserOut, user_out
from .exchange import Answer, Call
from .ratelimits import Rate
from .route import API, Auth, Route
from .site import Site


class FollowWish(msgspec.Struct, forbid_unknown_fields=True):
    """How to follow."""

    retweets: bool = True


class Standing(msgspec.Struct):
    """What stands now: following, requested, blocking or muting."""

    status: str


class UsersOut(msgspec.Struct):
    """A page of people. `next_cursor` is null on the last page."""

    users: list[UserOut]
    next_cursor: str | None
    has_more: bool


class RequestOut(msgspec.Struct):
    """A request to follow, and who asks."""

    id: str
    user: UserOut


class RequestsOut(msgspec.Struct):
    """A page of requests, newest first."""

    requests: list[RequestOut]
    next_cursor: str | None
    has_more: bool


_encode = msgspec.json.Encoder().encode
_wish = msgspec.json.Decoder(FollowWish)
_STANDING = {name: _encode(Standing(name)) for name in ("following", "requested", "blocking", "muting")}


async def follow(site: Site, call: Call) -> Answer:
    """Follow, or ask to where the account is private."""
    wish = parse(_wish, call.body) if call.body else FollowWish()
    came_to = await site.twit.follow(call.viewer, call.path_id(), retweets=wish.retweets, request_id=call.request_id)
    return Answer(200, _STANDING["requested" if came_to is Follow.REQUESTED else "following"])


async def unfollow(site: Site, call: Call) -> Answer:
    """Stop following, or withdraw the request."""
    await site.twit.unfollow(call.viewer, call.path_id(), request_id=call.request_id)
    return Answer(204)


async def block(site: Site, call: Call) -> Answer:
    """Hide both from each other."""
    await site.twit.block(call.viewer, call.path_id())
    return Answer(200, _STANDING["blocking"])


async def unblock(site: Site, call: Call) -> Answer:
    """Lift it."""
    await site.twit.unblock(call.viewer, call.path_id())
    return Answer(204)


async def mute(site: Site, call: Call) -> Answer:
    """Hide the account from one's home timeline."""
    await site.twit.mute(call.viewer, call.path_id())
    return Answer(200, _STANDING["muting"])


async def unmute(site: Site, call: Call) -> Answer:
    """Lift it."""
    await site.twit.unmute(call.viewer, call.path_id())
    return Answer(204)


async def get_followers(site: Site, call: Call) -> Answer:
    """Who follows, newest first."""
    cursor, limit = call.page()
    return await users_answer(site, await site.twit.followers(call.viewer, call.path_id(), cursor, limit))


async def get_following(site: Site, call: Call) -> Answer:
    """Whom the account follows, newest first."""
    cursor, limit = call.page()
    return await users_answer(site, await site.twit.following(call.viewer, call.path_id(), cursor, limit))


async def get_blocks(site: Site, call: Call) -> Answer:
    """Whom one blocks."""
    cursor, limit = call.page()
    return await users_answer(site, await site.twit.related(Relation.BLOCK, call.viewer, cursor, limit))


async def get_mutes(site: Site, call: Call) -> Answer:
    """Whom one mutes."""
    cursor, limit = call.page()
    return await users_answer(site, await site.twit.related(Relation.MUTE, call.viewer, cursor, limit))


async def get_requests(site: Site, call: Call) -> Answer:
    """Who asks to follow."""
    cursor, limit = call.page()
    found, next_cursor, has_more = await site.twit.follow_requests(call.viewer, cursor, limit)
    counts = await site.twit.user_counts([user.user_id for _, user in found])
    requests = [
        RequestOut(str(request.request_id), user_out(user, count)) for (request, user), count in zip(found, counts, strict=True)
    ]
    return Answer(200, _encode(RequestsOut(requests, next_cursor or None, has_more)))


async def accept(site: Site, call: Call) -> Answer:
    """Let the one who asks follow."""
    await site.twit.accept_request(call.viewer, call.path_id())
    return Answer(204)


async def reject(site: Site, call: Call) -> Answer:
    """Close the request."""
    await site.twit.reject_request(call.viewer, call.path_id())
    return Answer(204)


async def users_answer(site: Site, page: Page) -> Answer:
    """Return a page of people with their counts."""
    counts = await site.twit.user_counts([user.user_id for user in page.users]) if page.users else []
    users = [user_out(user, count) for user, count in zip(page.users, counts, strict=True)]
    return Answer(200, _encode(UsersOut(users, page.next_cursor or None, page.has_more)))


def _edge(verb: str, on: Callable[[Site, Call], Awaitable[Answer]], off: Callable[[Site, Call], Awaitable[Answer]],
          on_says: str, off_says: str, *, rate: Rate = Rate.NONE, body: type[FollowWish] | None = None) -> tuple[Route, Route]:  # fmt: skip
    """The two routes that set and lift something towards another account."""
    path = f"{API}/users/{{id}}/{verb}"
    return (
        Route(method="POST", path=path, name=verb, tag="people", summary=on_says, handler=on, rate=rate, body=body,
              body_optional=True, answer=Standing),
        Route(method="DELETE", path=path, name=f"un{verb}", tag="people", summary=off_says, handler=off, status=204),
    )  # fmt: skip


def _list(path: str, name: str, summary: str, handler: Callable[[Site, Call], Awaitable[Answer]], *,
          own: bool = False, answer: type[msgspec.Struct] = UsersOut) -> Route:  # fmt: skip
    """A route that pages; one's own lists want a token."""
    auth = Auth.REQUIRED if own else Auth.OPTIONAL
    return Route(method="GET", path=API + path, name=name, tag="people", summary=summary, handler=handler, auth=auth,
                 rate=Rate.READS, answer=answer, pages=True, shared=not own)  # fmt: skip


ROUTES = (
    *_edge("follow", follow, unfollow, "Follow, or ask to", "Stop following, or withdraw the request",
           rate=Rate.FOLLOWS, body=FollowWish),
    *_edge("block", block, unblock, "Hide both from each other", "Lift a block"),
    *_edge("mute", mute, unmute, "Hide an account from one's home timeline", "Lift a mute"),
    _list("/users/{id}/followers", "get_followers", "Who follows an account", get_followers),
    _list("/users/{id}/following", "get_following", "Whom an account follows", get_following),
    _list("/blocks", "get_blocks", "Whom one blocks", get_blocks, own=True),
    _list("/mutes", "get_mutes", "Whom one mutes", get_mutes, own=True),
    _list("/follow-requests", "get_requests", "Who asks to follow", get_requests, own=True, answer=RequestsOut),
    Route(method="POST", path=f"{API}/follow-requests/{{id}}/accept", name="accept_request", tag="people",
          summary="Let the one who asks follow", handler=accept, status=204),
    Route(method="POST", path=f"{API}/follow-requests/{{id}}/reject", name="reject_request", tag="people",
          summary="Close a request", handler=reject, status=204),
)  # fmt: skip
