"""What the core asks of a store. Each is a `Protocol`, batch-first, bounded, and raises only `core.errors`.

Rules that hold for all of them, and that `tests/contract/` checks for every store:

- answers come in the order of the question, one for each element; what is absent is `None` or zero, never left out;
- a write is durable when the call returns (kill -9 right after loses nothing), together with the events handed in with it,
  and it is repeatable: the same call again changes nothing and writes no second event;
- events are written only where the write changed something;
- a call that takes longer than `store_timeout_ms` raises `StoreTimeout`; nothing waits for ever;
- a page is bounded by its `limit`; `before` (exclusive) pages downwards, `after` (exclusive) upwards; 0 means: from the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from .entries import AuthorMode, Mark, Row
from .events import Event
from .log_ports import EventLog, Lane, Lease, Leases, WorkLog
from .model import (
    Blocks,
    Carried,
    Credentials,
    Edge,
    Following,
    FollowOutcome,
    FollowRequest,
    IdempotencyKey,
    NewAccount,
    NewFollow,
    NewTweet,
    PutOutcome,
    Relation,
    Session,
    Tweet,
    TweetCounts,
    User,
    UserCounts,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from .entries import Entries, Ids


__all__ = (
    "Accounts", "Engagement", "EventLog", "FanoutModes", "Health", "Lane", "Lease", "Leases", "RateLimits", "Relations", "SocialGraph", "Stores",
    "Timelines", "Tokens", "Tweets", "WorkLog",
)  # fmt: skip


class Accounts(Protocol):
    """People, their names and secrets."""

    async def create(self, accounts: Sequence[NewAccount]) -> list[User]:
        """Store all with dense user ids, a `user_created` event each. Any name or e-mail taken (without case): `Conflict`
        with field in its code (`USERNAME_TAKEN`, `EMAIL_TAKEN`), and nothing is written. An empty e-mail is never taken."""

    async def get(self, user_ids: Sequence[int]) -> list[User | None]:
        """Accounts of any status."""

    async def ids_of(self, usernames: Sequence[str]) -> list[int]:
        """User ids by name, without case; 0 for none."""

    async def credentials(self, user_id: int) -> Credentials | None:
        """For log-in."""

    async def update(self, user: User, events: Sequence[Event], *, password_hash: str | None = None) -> None:
        """Replace the profile, flags and status of `user.user_id` (and the password). The username does not change.
        `NotFound` without such a user, `Conflict` (`EMAIL_TAKEN`) where the e-mail is another's."""

    async def counts(self, user_ids: Sequence[int]) -> list[UserCounts]:
        """Followers, followees, tweets; zeros for unknown ids. Tweets count originals, replies, quotes and retweets that stand."""

    async def page(self, after: int, limit: int) -> list[User]:
        """All accounts in order of id, from the one after `after`."""

    async def deactivated(self, before_ms: int, limit: int) -> list[User]:
        """Accounts that are deactivated since before `before_ms`, in order of id."""

    async def count(self) -> int:
        """How many accounts there are, of any status: the highest id."""


class SocialGraph(Protocol):
    """Who follows whom. `following` is the truth; the followee's follower list is carried there by a worker."""

    async def follow(self, follows: Sequence[NewFollow], following_max: int) -> list[FollowOutcome]:
        """Store edges in `following`, each with its events (a `FOLLOWED` whose `ref` is 0 gets the edge's sequence there).
        Counts `following` of the follower."""

    async def unfollow(self, pairs: Sequence[tuple[int, int]], events: Sequence[Sequence[Event]]) -> list[bool]:
        """Remove (follower, followee) edges from `following`, with one sequence of events a pair; false where none stood."""

    async def following(self, users: Sequence[int]) -> list[Following]:
        """Whom each follows, whole (bounded by `following_max`)."""

    async def is_following(self, pairs: Sequence[tuple[int, int]]) -> list[bool]:
        """Whether each (follower, followee) edge stands, by `following`."""

    async def following_page(self, user: int, before: int, limit: int) -> list[Edge]:
        """Followees, newest follow first."""

    async def followers_page(self, user: int, before: int, limit: int) -> list[Edge]:
        """Followers as carried, newest first."""

    async def followers(self, user: int, after: int, limit: int) -> tuple[Ids, int]:
        """Followers as carried, in order of arrival from cursor `after` (0: the start), and the cursor for the next
        page, 0 at the end. A follower who stays is met exactly once by a walk, whatever comes and goes meanwhile."""

    async def followers_first(self, users: Sequence[int], limit: int) -> list[tuple[Ids, int]]:
        """For each user what `followers` says from the start."""

    async def carry(self, pairs: Sequence[tuple[int, int]]) -> list[Carried]:
        """Make the followees' lists say what `following` says of these (follower, followee) pairs, and count them."""

    async def mark_merged(self, edges: Sequence[tuple[int, int, int]]) -> None:
        """(follower, followee, sequence): the edge is no longer pulled. An edge of another sequence is left alone."""


class Relations(Protocol):
    """Blocks, mutes and requests to follow."""

    async def relate(self, kind: Relation, actor: int, target: int, events: Sequence[Event], at_ms: int) -> bool:
        """Set it; false where it stood. A block also withdraws requests between the two."""

    async def unrelate(self, kind: Relation, actor: int, target: int, events: Sequence[Event]) -> bool:
        """Lift it; false where none stood."""

    async def blocks(self, users: Sequence[int]) -> list[Blocks]:
        """Everything that hides someone from each of these users, whole."""

    async def related_page(self, kind: Relation, actor: int, before: int, limit: int) -> list[Edge]:
        """Whom `actor` blocks or mutes, newest first."""

    async def request_follow(self, requester: int, target: int, *, retweets: bool, at_ms: int, events: Sequence[Event]) -> int:
        """Open a request and return its id; the id of the open one, without a second event, where one is open."""

    async def requests_page(self, target: int, before: int, limit: int) -> list[FollowRequest]:
        """Open requests to `target`, newest first."""

    async def request(self, request_id: int) -> FollowRequest | None:
        """One open request."""

    async def close_requests(self, request_ids: Sequence[int], events: Sequence[Sequence[Event]]) -> list[bool]:
        """Close them, with one sequence of events each; false where it was not open. Making the edge is the caller's."""

    async def request_between(self, requester: int, target: int) -> FollowRequest | None:
        """The open request of this pair."""


class Tweets(Protocol):
    """Tweets, threads, and each author's own timeline. Never counts of likes."""

    async def put(self, tweets: Sequence[NewTweet]) -> list[PutOutcome]:
        """Store each with its events and key in one durable step. One standing retweet a (user, original)."""

    async def repeated(self, key: IdempotencyKey, now_ms: int) -> PutOutcome | None:
        """What `put` would say of this key before it looks at the tweet: `REPEATED`, `KEY_REUSED`, or `None` for a new one."""

    async def get(self, tweet_ids: Sequence[int]) -> list[Tweet | None]:
        """Tweets, tombstones included."""

    async def delete(self, tweet_ids: Sequence[int], events: Sequence[Sequence[Event]]) -> list[bool]:
        """Turn them into tombstones; false where none stood. The author's list and all counts follow."""

    async def by_authors(self, authors: Sequence[int], *, before: int = 0, after: int = 0, limit: int) -> list[Entries]:
        """For each author his newest standing entries with after < id < before (0: unbounded), at most `limit` each."""

    async def in_conversation(self, conversation_id: int, after: int, limit: int) -> list[Tweet]:
        """Tweets of a thread in order of id, tombstones included, the first tweet left out."""

    async def replies(self, tweet_id: int, after: int, limit: int) -> list[Tweet]:
        """Direct replies in order of id, tombstones left out."""

    async def retweets(self, tweet_id: int, before: int, limit: int) -> list[Tweet]:
        """Standing retweets of an original, newest first."""

    async def retweet_ids(self, user: int, originals: Sequence[int]) -> list[int]:
        """The id of the user's standing retweet of each original; 0 for none."""


class Engagement(Protocol):
    """Likes and the counts of a tweet. The truth of a like is its row."""

    async def like(self, pairs: Sequence[tuple[int, int]], at_ms: int, events: Sequence[Sequence[Event]]) -> list[bool]:
        """(user, tweet) rows; false where it stood."""

    async def unlike(self, pairs: Sequence[tuple[int, int]], events: Sequence[Sequence[Event]]) -> list[bool]:
        """Remove; false where none stood."""

    async def likers_page(self, tweet_id: int, before: int, limit: int) -> list[Edge]:
        """Who liked it, newest like first."""

    async def liked(self, user: int, tweet_ids: Sequence[int]) -> list[bool]:
        """Whether the user likes each."""

    async def recent_likes(self, user: int, limit: int) -> tuple[list[int], bool]:
        """The user's newest liked tweet ids by time of like, and whether these are all."""

    async def counts(self, tweet_ids: Sequence[int]) -> list[TweetCounts]:
        """Zeros for unknown ids."""

    async def recount(self, tweet_ids: Sequence[int]) -> list[TweetCounts]:
        """Counts from the rows of truth, written back; for audit and repair."""


class Timelines(Protocol):
    """Cached home timelines: one row a reader, at most `timeline_entries_max` entries, lapsing when not touched.

    Every call that names a moment takes `now_ms`; a row not touched for `inactive_after_ms` before it counts as absent.
    """

    async def push(self, entries: Entries, readers: Ids, now_ms: int, floor: int = 0) -> npt.NDArray[np.uint8]:
        """Add entries to the rows of readers that are building or complete; returns `Push` values, shape
        (len(entries), len(readers)). `readers` must be distinct. A full row loses its oldest and raises
        `complete_back_to`; `floor` raises it too, where what is pushed is known to be cut off below."""

    async def push_each(self, entries: Entries, groups: Sequence[Ids], now_ms: int) -> npt.NDArray[np.uint8]:
        """Push entry i to the readers of group i, for many entries at once. Unlike elsewhere ids rise strictly from entry to entry.
        Returns `entries.Push` codes, one group behind the other; what the same call would push out again may be refused instead."""

    async def read(self, reader: int, before: int, limit: int, now_ms: int) -> Row:
        """The newest `limit` entries with id < `before` (0: from the top). Gives up after a fifth of `store_timeout_ms`: who reads
        can do without the row."""

    async def raw(self, reader: int) -> Entries:
        """Every entry of the row as it is stored: in the store's own order, repetitions and all; none where it is absent.
        For audits, which `read` could hide a fault from."""

    def unchanged(self, reader: int, row: Row, now_ms: int) -> bool:
        """Whether the complete row that `read` answered with would be answered again: nothing came in, went out or was cut
        off since. Never waits: a store that would have to ask says False."""

    async def begin(self, readers: Sequence[int], now_ms: int) -> list[Mark]:
        """Make rows empty, building and touched, so that pushes reach them from here on. A row already building is begun
        anew, which fences off its former builder."""

    async def mark(self, readers: Sequence[int], now_ms: int) -> list[Mark | None]:
        """The moment of each row, to be handed to `replace`; `None` where absent."""

    async def replace(self, reader: int, entries: Entries, complete_back_to: int, mark: Mark, now_ms: int) -> bool:
        """Swap the row whole for `entries` plus what was pushed since `mark`, complete. False, with nothing changed, where
        the row's epoch has moved since (someone removed, dropped, replaced or began it) or it is absent."""

    async def remove(self, tweet_ids: Sequence[int], readers: Ids) -> int:
        """Take these tweets out of these rows; returns how many entries went. Every row named moves its epoch, found or not:
        a rebuild under way must not bring them back."""

    async def drop(self, readers: Sequence[int]) -> None:
        """Make rows absent."""

    async def touch(self, readers: Ids, now_ms: int) -> None:
        """These readers are seen: their rows live on. An absent or lapsed row is left so."""

    async def open_empty(self, readers: Ids, now_ms: int) -> None:
        """Give new accounts a complete, empty, touched row. For readers who follow nobody yet; others are left alone."""

    async def residents(self, after: int, limit: int, now_ms: int) -> Ids:
        """Readers with a live row, in order of id."""


class FanoutModes(Protocol):
    """How each author's tweets travel (rule 3). An author never set is `PUSH` since 0."""

    async def get(self, authors: Sequence[int]) -> list[AuthorMode]:
        """Mode of each."""

    async def put(self, author: int, mode: AuthorMode, events: Sequence[Event]) -> None:
        """Set it, with its events."""

    async def pulled(self) -> Mapping[int, AuthorMode]:
        """All authors that are not `PUSH`, as of now. There may be a million of them: ask for one, do not walk over all."""


class Tokens(Protocol):
    """Log-ins, by the hash of their bearer token."""

    async def put(self, session: Session) -> None:
        """Store it."""

    async def get(self, token_hash: bytes) -> Session | None:
        """The log-in, unless revoked."""

    async def revoke(self, token_hash: bytes, events: Sequence[Event]) -> bool:
        """End one; false where none stood."""

    async def revoke_all(self, user_id: int, events: Sequence[Event]) -> int:
        """End all of a user's; returns how many."""


class RateLimits(Protocol):
    """Token buckets."""

    def take(self, key: str, burst: int, per_s: float, now_us: int) -> tuple[bool, int, float]:
        """Take one from the bucket of `key` (full at first, refilled at `per_s`); returns (allowed, whole tokens left,
        seconds until one more is there: 0 where one is)."""


class Health(Protocol):
    """What operators ask of any store."""

    async def check(self) -> dict[str, str]:
        """Name → "ok" or what is wrong, within `store_timeout_ms`; never raises."""

    async def close(self) -> None:
        """Finish what is queued, then let go. More than once is harmless."""


class Stores(Protocol):
    """A world's stores, as the core is handed them."""

    kind: str
    accounts: Accounts
    graph: SocialGraph
    relations: Relations
    tweets: Tweets
    engagement: Engagement
    timelines: Timelines
    modes: FanoutModes
    log: EventLog
    work: WorkLog
    leases: Leases
    tokens: Tokens
    rates: RateLimits
    health: Health

    def lanes(self, group: str) -> Sequence[Lane]:
        """What the consumers of a group follow: always the same lanes in the same order."""
