"""The social graph: follows and requests to follow, blocks, mutes, and the lists of them.

A command writes the truth and its event; follower lists and timelines follow by event and are never touched here.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import cursors, follow_requests
from .accounts import acting
from .caches import Caches
from .clock import Clock
from .errors import Conflict, Forbidden, Invalid, NotFound
from .events import Event, EventKind
from .limits import Limits
from .model import AccountStatus, FollowRequest, FollowStatus, NewFollow, Relation, User
from .pages import checked_limit, filled
from .people import anyone, knows_of, people_page
from .ports import Stores
from .shown import Follow, Page
from .visibility import sees_author

_SET = {Relation.BLOCK: EventKind.BLOCKED, Relation.MUTE: EventKind.MUTED}
_LIFTED = {Relation.BLOCK: EventKind.UNBLOCKED, Relation.MUTE: EventKind.UNMUTED}
_LETTERS = {Relation.BLOCK: "B", Relation.MUTE: "M"}


class SocialCommands:
    """Who follows, blocks and mutes whom. Keeps no state of its own."""

    def __init__(self, stores: Stores, caches: Caches, limits: Limits, clock: Clock) -> None:
        self._stores = stores
        self._caches = caches
        self._limits = limits
        self._clock = clock

    async def follow(self, actor: int, target: int, *, retweets: bool = True, request_id: str = "") -> Follow:
        """Follow, or ask to where the target is private; repeating answers the same and can switch retweets."""
        await self._caches.sync()
        user = await self._followable(actor, target)
        if user.is_private and target not in (await self._caches.viewer(actor)).following:
            await self._ask(actor, target, retweets=retweets, request_id=request_id)
            answer = Follow.REQUESTED
        else:
            answer = await self._make(actor, target, retweets=retweets, request_id=request_id)
        await self._caches.sync()
        return answer

    async def unfollow(self, actor: int, target: int, *, request_id: str = "") -> bool:
        """Stop following, or withdraw the request; false where neither stood."""
        await self._pair(actor, target, "unfollow")
        event = self._event(EventKind.UNFOLLOWED, actor, target, request_id=request_id)
        (ended,) = await self._stores.graph.unfollow(((actor, target),), ((event,),))
        request = await self._stores.relations.request_between(actor, target)
        if request is not None:
            (withdrawn,) = await follow_requests.close(self._stores, (request,), self._clock.now_ms())
            ended = ended or withdrawn
        await self._caches.sync()
        return ended

    async def block(self, actor: int, target: int) -> bool:
        """Hide both from each other and end the follows between them; false where it stood."""
        stood_not = await self._relate(Relation.BLOCK, actor, target)
        pairs = ((actor, target), (target, actor))
        events = [(self._event(EventKind.UNFOLLOWED, follower, followee),) for follower, followee in pairs]
        await self._stores.graph.unfollow(pairs, events)
        await self._caches.sync()
        return stood_not

    async def unblock(self, actor: int, target: int) -> bool:
        """Lift it; the follows do not come back."""
        return await self._unrelate(Relation.BLOCK, actor, target)

    async def mute(self, actor: int, target: int) -> bool:
        """Hide the target from the actor's home and notifications only; false where it stood."""
        return await self._relate(Relation.MUTE, actor, target)

    async def unmute(self, actor: int, target: int) -> bool:
        """Lift it."""
        return await self._unrelate(Relation.MUTE, actor, target)

    async def followers(self, viewer: int, user_id: int, cursor: str, limit: int) -> Page:
        """Newest first; `NotFound` for an account whose tweets this viewer may not see."""
        return await self._edges("F", viewer, user_id, cursor, limit)

    async def following(self, viewer: int, user_id: int, cursor: str, limit: int) -> Page:
        """Newest follow first."""
        return await self._edges("G", viewer, user_id, cursor, limit)

    async def related(self, kind: Relation, actor: int, cursor: str, limit: int) -> Page:
        """Whom the actor blocks or mutes, newest first."""
        await self._caches.sync()
        viewer = await self._caches.viewer(actor)
        return await people_page(
            self._caches,
            self._limits,
            viewer,
            kind=_LETTERS[kind],
            cursor=cursor,
            limit=limit,
            fetch=lambda before, count: self._stores.relations.related_page(kind, actor, before, count),
            shows=anyone,
        )

    async def follow_requests(
        self, actor: int, cursor: str, limit: int
    ) -> tuple[list[tuple[FollowRequest, User]], str, bool]:
        """Open requests to the actor with who asks, newest first; next cursor; whether there are more."""
        await self._caches.sync()
        checked_limit(limit, self._limits.page_users_max)
        viewer = await self._caches.viewer(actor)
        known: dict[int, User] = {}

        async def keep(requests: Sequence[FollowRequest]) -> list[bool]:
            users = await self._caches.users([request.requester for request in requests])
            shown = [user for user in users if user and user.status is AccountStatus.ACTIVE and knows_of(viewer, user)]
            known.update({user.user_id: user for user in shown})
            return [request.requester in known for request in requests]

        page = await filled(
            lambda before, count: self._stores.relations.requests_page(actor, before, count),
            keep,
            lambda request: request.request_id,
            start=cursors.decode("Q", cursor),
            limit=limit,
            scan_max=self._limits.scan_max,
        )
        next_cursor = cursors.encode("Q", page.last) if page.has_more else ""
        return [(request, known[request.requester]) for request in page.found], next_cursor, page.has_more

    async def accept_request(self, actor: int, request_id: int) -> bool:
        """Make the edge; false where the request was answered before. `Conflict` where the requester follows too many."""
        request = await self._request(actor, request_id)
        if request is None:
            return False
        (fits,) = await follow_requests.accept(self._stores, self._limits, (request,), self._clock.now_ms())
        if not fits:
            raise self._full("they follow")
        await self._caches.sync()
        return True

    async def reject_request(self, actor: int, request_id: int) -> bool:
        """Close it; false where it was answered before."""
        request = await self._request(actor, request_id)
        if request is None:
            return False
        (closed,) = await follow_requests.close(self._stores, (request,), self._clock.now_ms())
        await self._caches.sync()
        return closed

    async def _followable(self, actor: int, target: int) -> User:
        user = await self._pair(actor, target, "follow")
        viewer = await self._caches.viewer(actor)
        if target in viewer.hidden:
            if target in viewer.blocked:
                what = f"you block @{user.username}"
                raise Forbidden(what, try_="unblock first")
            raise NotFound("no such account")
        if user.status is not AccountStatus.ACTIVE:
            raise NotFound("no such account")
        return user

    async def _make(self, actor: int, target: int, *, retweets: bool, request_id: str) -> Follow:
        now_ms = self._clock.now_ms()
        event = self._event(EventKind.FOLLOWED, actor, target, request_id=request_id)
        edge = NewFollow(follower=actor, followee=target, retweets=retweets, created_ms=now_ms, events=(event,))
        (outcome,) = await self._stores.graph.follow((edge,), self._limits.following_max)
        if outcome.status is FollowStatus.FULL:
            raise self._full("you follow")
        return Follow.FOLLOWING if outcome.status is FollowStatus.CREATED else Follow.ALREADY

    async def _ask(self, actor: int, target: int, *, retweets: bool, request_id: str) -> None:
        standing = await self._stores.relations.request_between(actor, target)
        now_ms = self._clock.now_ms()
        if standing is not None and standing.retweets != retweets:
            await follow_requests.close(self._stores, (standing,), now_ms)
        event = self._event(EventKind.FOLLOW_REQUESTED, actor, target, request_id=request_id)
        await self._stores.relations.request_follow(actor, target, retweets=retweets, at_ms=now_ms, events=(event,))

    async def _relate(self, kind: Relation, actor: int, target: int) -> bool:
        user = await self._pair(actor, target, kind.value)
        if user.status is not AccountStatus.ACTIVE:
            raise NotFound("no such account")
        event = self._event(_SET[kind], actor, target)
        stood_not = await self._stores.relations.relate(kind, actor, target, (event,), self._clock.now_ms())
        await self._caches.sync()
        return stood_not

    async def _unrelate(self, kind: Relation, actor: int, target: int) -> bool:
        await self._pair(actor, target, f"un{kind.value}")
        stood = await self._stores.relations.unrelate(kind, actor, target, (self._event(_LIFTED[kind], actor, target),))
        await self._caches.sync()
        return stood

    async def _edges(self, letter: str, viewer: int, user_id: int, cursor: str, limit: int) -> Page:
        await self._caches.sync()
        seer = await self._caches.viewer(viewer)
        (user,) = await self._caches.users((user_id,))
        if user is None or user.status is not AccountStatus.ACTIVE or not sees_author(seer, user):
            raise NotFound("no such account")
        graph = self._stores.graph
        fetch = graph.followers_page if letter == "F" else graph.following_page
        return await people_page(
            self._caches,
            self._limits,
            seer,
            kind=letter,
            cursor=cursor,
            limit=limit,
            fetch=lambda before, count: fetch(user_id, before, count),
        )

    async def _request(self, actor: int, request_id: int) -> FollowRequest | None:
        await self._caches.sync()
        acting(await self._caches.user(actor))
        request = await self._stores.relations.request(request_id)
        if request is not None and request.target != actor:
            raise NotFound("no such request")
        return request

    async def _pair(self, actor: int, target: int, verb: str) -> User:
        """Return the target, of any status but deleted. `Invalid` for oneself, `NotFound` for nobody."""
        await self._caches.sync()
        me, user = await self._caches.users((actor, target))
        acting(me)
        if actor == target:
            what = f"nobody can {verb} himself"
            raise Invalid(what, field="user_id")
        if user is None or user.status is AccountStatus.DELETED:
            raise NotFound("no such account")
        return user

    def _full(self, who: str) -> Conflict:
        what = f"{who} {self._limits.following_max} accounts, as many as one can"
        return Conflict(what, try_="unfollow someone first", code="FOLLOWING_FULL")

    def _event(self, kind: EventKind, actor: int, target: int, *, request_id: str = "") -> Event:
        return Event(
            kind=kind, key=actor, actor=actor, target=target, at_ms=self._clock.now_ms(), request_id=request_id
        )
