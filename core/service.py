"""The facade. The CLI and the gateway speak to the service only through `Twit`.

Every method that takes `viewer` or `actor` takes a user id that the door has authenticated; viewer 0 is nobody.
Errors: `Invalid`, `BadCursor`, `NotFound` (also for what this viewer may not see), `Forbidden`, `Conflict`, `StoreError`.
`limit` must lie in [1, timeline_page_max]; 0 and 201 are `Invalid`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from .accounts import AccountCommands
from .caches import Caches
from .limits import Limits
from .model import FollowRequest, Relation, Tweet, User, UserCounts
from .ports import Stores
from .rebuild import Truth
from .shown import Follow, HomePage, Page, Thread, TweetPage, TweetView, Unavailable
from .social import SocialCommands
from .threads import Threads
from .timelines import HomeTimelines
from .tweets import TweetCommands
from .views import Views
from .workers import Workers


class Twit(msgspec.Struct, frozen=True, kw_only=True):
    """One service over one world's stores. Made by `wiring.build`; closed by whoever opened the stores."""

    limits: Limits
    stores: Stores
    caches: Caches
    accounts: AccountCommands
    social: SocialCommands
    tweets: TweetCommands
    threads: Threads
    timelines: HomeTimelines
    views: Views
    workers: Workers
    truth: Truth

    # accounts
    async def sign_up(self, username: str, email: str, password: str, display_name: str = "") -> tuple[User, str]:
        """Make an account and log it in; returns it with its bearer token."""
        return await self.accounts.sign_up(username, email, password, display_name)

    async def log_in(self, username: str, password: str) -> tuple[User, str]:
        """Return the account and a new token; a deactivated account within its grace comes back whole."""
        return await self.accounts.log_in(username, password)

    async def log_out(self, token: str) -> None:
        """Revoke this token."""
        await self.accounts.log_out(token)

    async def authenticate(self, token: str) -> int:
        """Return whose token this is, and note that he was seen. Raises `Unauthorized`."""
        return await self.accounts.authenticate(token)

    def known(self, token: str) -> int:
        """The same at once, where nothing has to be asked or written for it; else 0. Only where `caches.in_step()`."""
        return self.accounts.known(token)

    async def seen(self, user_id: int) -> None:
        """Note an authenticated act, written at most once per `seen_write_ms`."""
        await self.accounts.seen(user_id)

    async def update_profile(self, actor: int, changes: Mapping[str, object]) -> User:
        """Change any of display_name, bio, profile_image, banner_image, location, website, email, is_private."""
        return await self.accounts.update_profile(actor, changes)

    async def set_password(self, actor: int, old: str | None, new: str) -> None:
        """Change the password and revoke all log-ins. `old` None only from the operator's door."""
        await self.accounts.set_password(actor, old, new)

    async def deactivate(self, actor: int) -> None:
        """Hide the account at once and whole; log-in within the grace brings it back."""
        await self.accounts.deactivate(actor)

    async def user(self, viewer: int, user_id: int) -> User:
        """An account that this viewer may know of (not deactivated, not blocking him)."""
        return await self.accounts.user(viewer, user_id)

    async def user_by_name(self, viewer: int, username: str) -> User:
        """The same by name, without case."""
        return await self.accounts.user_by_name(viewer, username)

    async def user_counts(self, user_ids: Sequence[int]) -> list[UserCounts]:
        """Followers, followees, tweets of each."""
        return await self.stores.accounts.counts(user_ids)

    # social graph
    async def follow(self, actor: int, target: int, *, retweets: bool = True, request_id: str = "") -> Follow:
        """Follow, or ask to where the target is private. Repeating answers the same; it can switch retweets on or off."""
        return await self.social.follow(actor, target, retweets=retweets, request_id=request_id)

    async def unfollow(self, actor: int, target: int, *, request_id: str = "") -> bool:
        """Stop following, or withdraw the request; false where neither stood."""
        return await self.social.unfollow(actor, target, request_id=request_id)

    async def block(self, actor: int, target: int) -> bool:
        """Hide both from each other and end the follows between them; false where it stood."""
        return await self.social.block(actor, target)

    async def unblock(self, actor: int, target: int) -> bool:
        """Lift it; the follows do not come back."""
        return await self.social.unblock(actor, target)

    async def mute(self, actor: int, target: int) -> bool:
        """Hide the target from the actor's home and notifications only."""
        return await self.social.mute(actor, target)

    async def unmute(self, actor: int, target: int) -> bool:
        """Lift it."""
        return await self.social.unmute(actor, target)

    async def followers(self, viewer: int, user_id: int, cursor: str, limit: int) -> Page:
        """Newest first. Of a private account only for those who may see it."""
        return await self.social.followers(viewer, user_id, cursor, limit)

    async def following(self, viewer: int, user_id: int, cursor: str, limit: int) -> Page:
        """Newest follow first."""
        return await self.social.following(viewer, user_id, cursor, limit)

    async def related(self, kind: Relation, actor: int, cursor: str, limit: int) -> Page:
        """Whom the actor blocks or mutes."""
        return await self.social.related(kind, actor, cursor, limit)

    async def follow_requests(self, actor: int, cursor: str, limit: int) -> tuple[list[tuple[FollowRequest, User]], str, bool]:
        """Open requests to the actor with who asks; next cursor; whether there are more."""
        return await self.social.follow_requests(actor, cursor, limit)

    async def accept_request(self, actor: int, request_id: int) -> bool:
        """Make the edge; false where the request was answered before."""
        return await self.social.accept_request(actor, request_id)

    async def reject_request(self, actor: int, request_id: int) -> bool:
        """Close it; false where it was answered before."""
        return await self.social.reject_request(actor, request_id)

    # tweets
    async def post(
        self, actor: int, text: str, *, reply_to: int = 0, quote_of: int = 0, media: Sequence[str] = (),
        idempotency_key: str = "", request_id: str = "",
    ) -> Tweet:
        """Make a tweet durable with its event, and show it to its author; fan-out follows by event."""
        return await self.tweets.post(
            actor, text, reply_to=reply_to, quote_of=quote_of, media=media, idempotency_key=idempotency_key,
            request_id=request_id,
        )

    async def delete(self, actor: int, tweet_id: int, *, request_id: str = "") -> None:
        """Hide one's own tweet from every read at once. Repeating is `NotFound`."""
        await self.tweets.delete(actor, tweet_id, request_id=request_id)

    async def retweet(self, actor: int, tweet_id: int, *, idempotency_key: str = "", request_id: str = "") -> Tweet:
        """Retweet the original of `tweet_id`; a repeat returns the standing retweet."""
        return await self.tweets.retweet(actor, tweet_id, idempotency_key=idempotency_key, request_id=request_id)

    async def unretweet(self, actor: int, tweet_id: int, *, request_id: str = "") -> bool:
        """Undo; false where none stood."""
        return await self.tweets.unretweet(actor, tweet_id, request_id=request_id)

    async def like(self, actor: int, tweet_id: int, *, request_id: str = "") -> bool:
        """Like the original; false where it stood."""
        return await self.tweets.like(actor, tweet_id, request_id=request_id)

    async def unlike(self, actor: int, tweet_id: int, *, request_id: str = "") -> bool:
        """Undo; false where none stood."""
        return await self.tweets.unlike(actor, tweet_id, request_id=request_id)

    # reading
    async def tweet(self, viewer: int, tweet_id: int) -> TweetView:
        """One tweet as this viewer sees it."""
        return await self.threads.tweet(viewer, tweet_id)

    async def thread(self, viewer: int, tweet_id: int, cursor: str = "", limit: int | None = None) -> Thread:
        """Ancestors, the tweet, a page of descendants."""
        return await self.threads.thread(viewer, tweet_id, cursor, limit)

    async def replies(self, viewer: int, tweet_id: int, cursor: str, limit: int) -> TweetPage:
        """Direct replies, oldest first."""
        return await self.threads.replies(viewer, tweet_id, cursor, limit)

    async def likers(self, viewer: int, tweet_id: int, cursor: str, limit: int) -> Page:
        """Who liked it, newest like first."""
        return await self.threads.likers(viewer, tweet_id, cursor, limit)

    async def retweeters(self, viewer: int, tweet_id: int, cursor: str, limit: int) -> Page:
        """Who retweeted it, newest first."""
        return await self.threads.retweeters(viewer, tweet_id, cursor, limit)

    async def home_timeline(
        self, reader: int, cursor: str = "", limit: int | None = None, *, explain: bool = False, bare: bool = False
    ) -> HomePage:
        """A page of the reader's home timeline by the fifteen rules; `bare` with its tweets' ids only."""
        return await self.timelines.home(reader, cursor, limit, explain=explain, bare=bare)

    def standing_home(self, reader: int, limit: int) -> HomePage | None:
        """His first page, bare, at once, where it was shown before and stands; else `None`. Only where `caches.in_step()`."""
        return self.timelines.standing(reader, limit)

    async def user_timeline(self, viewer: int, user_id: int, cursor: str = "", limit: int | None = None) -> TweetPage:
        """A page of one user's own tweets and retweets, as far as this viewer may see them."""
        return await self.timelines.user(viewer, user_id, cursor, limit)

    async def dress(self, viewer: int, tweets: Sequence[Tweet]) -> list[TweetView | Unavailable]:
        """Tweets as this viewer sees them: authors, counts, flags, what they quote or retweet."""
        return await self.views.dress(viewer, tweets)
