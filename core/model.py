"""The data that moves through the core: frozen structs, no behaviour beyond what they are.

Entries of timelines are not structs: a list of them is an int64 array of shape (n, 2), a row being
(tweet id, id of what it retweets or 0), newest first by tweet id. `Entries` names that shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, TypeAlias

import msgspec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Entries: TypeAlias = npt.NDArray[np.int64]  # (n, 2): tweet id, retweeted id or 0; newest first
    Ids: TypeAlias = npt.NDArray[np.int64]  # (n,)


class AccountStatus(StrEnum):
    """`deleted` is for ever; the others alternate."""

    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    DELETED = "deleted"


class User(msgspec.Struct, frozen=True, kw_only=True):
    """An account without its secrets and counts. Times are milliseconds since 1970 UTC."""

    user_id: int
    username: str
    display_name: str
    email: str = ""
    bio: str = ""
    profile_image: str = ""
    banner_image: str = ""
    location: str = ""
    website: str = ""
    is_verified: bool = False
    is_private: bool = False
    status: AccountStatus = AccountStatus.ACTIVE
    deactivated_ms: int = 0
    created_ms: int = 0


class UserCounts(msgspec.Struct, frozen=True):
    """Eventually right; `twit ops audit --check counts` recounts."""

    followers: int = 0
    following: int = 0
    tweets: int = 0


class NewAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What `accounts.create` stores; the store gives the next dense user id. `password_hash` "" allows no log-in."""

    username: str
    email: str
    password_hash: str
    display_name: str
    created_ms: int


class Credentials(msgspec.Struct, frozen=True):
    """What log-in needs."""

    user_id: int
    password_hash: str
    status: AccountStatus
    deactivated_ms: int


class Tweet(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A tweet, reply, quote or retweet, as it is stored. Zero means: none.

    A retweet has an id of its own, `retweet_of` the original (never another retweet) and an empty text.
    A tombstone keeps ids and authors and has `deleted`, with text and entities emptied.
    `mentions` are user ids in order of appearance, `mention_names` the names as they were then, same length.
    """

    tweet_id: int
    author_id: int
    text: str = ""
    created_ms: int = 0
    reply_to: int = 0
    reply_to_author: int = 0
    conversation_id: int = 0  # the id of the thread's first tweet; its own id where it starts one
    retweet_of: int = 0
    retweet_of_author: int = 0
    quote_of: int = 0
    quote_of_author: int = 0
    hashtags: tuple[str, ...] = ()
    mentions: tuple[int, ...] = ()
    mention_names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    deleted: bool = False


class TweetCounts(msgspec.Struct, frozen=True, gc=False):
    """Of an original; a retweet has none of its own. Deleted replies, retweets and quotes do not count."""

    likes: int = 0
    retweets: int = 0
    replies: int = 0
    quotes: int = 0


class IdempotencyKey(msgspec.Struct, frozen=True):
    """`body_hash` tells a repeat from another request under the same key."""

    user_id: int
    key: str
    body_hash: bytes
    expires_ms: int


class EventKind(StrEnum):
    """What happened. The event's `key` orders it: all events of one key are handled in log order."""

    TWEET_CREATED = "tweet_created"  # key, actor: author; tweet; ref: retweet_of; target: author of ref or of the parent
    TWEET_DELETED = "tweet_deleted"  # key, actor: author; tweet; ref: retweet_of, so undoing a retweet is one too
    LIKED = "liked"  # key: tweet; actor; tweet; target: its author
    UNLIKED = "unliked"
    FOLLOWED = "followed"  # key, actor: follower; target: followee; ref: sequence of the edge
    UNFOLLOWED = "unfollowed"
    FOLLOW_REQUESTED = "follow_requested"  # actor: who asks; target: who is asked; ref: request id
    FOLLOW_REQUEST_CLOSED = "follow_request_closed"  # accepted, rejected or withdrawn
    BLOCKED = "blocked"  # key, actor; target
    UNBLOCKED = "unblocked"
    MUTED = "muted"
    UNMUTED = "unmuted"
    USER_CREATED = "user_created"
    PROFILE_CHANGED = "profile_changed"  # key, actor: the user
    PRIVACY_CHANGED = "privacy_changed"  # ref: 1 private, 0 public
    DEACTIVATED = "deactivated"
    REACTIVATED = "reactivated"
    ACCOUNT_DELETED = "account_deleted"
    SESSIONS_REVOKED = "sessions_revoked"  # key, actor: the user; tokens cached in a process are dropped
    MODE_CHECK = "mode_check"  # key: author whose follower count crossed a threshold: fan-out decides
    PARTED = "parted"  # key, actor: author; target: who follows no more, and is in the author's list no more
    MODE_CHANGED = "mode_changed"  # key: author; ref: the new FanoutMode


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """One fact, written in the same durable step as what it tells of. Zero means: none."""

    kind: EventKind
    key: int
    actor: int
    tweet: int = 0
    target: int = 0
    ref: int = 0
    at_ms: int = 0
    request_id: str = ""


class LoggedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event and its place: `offset` rises by at least 1, from 1."""

    offset: int
    event: Event


class NewTweet(msgspec.Struct, frozen=True, kw_only=True):
    """One durable step: tweet, its events, its idempotency key."""

    tweet: Tweet
    events: tuple[Event, ...] = ()
    idempotency: IdempotencyKey | None = None


class PutStatus(IntEnum):
    STORED = 0
    REPEATED = 1  # this idempotency key, or this retweet by this user, is there already: `tweet_id` says which
    KEY_REUSED = 2  # the idempotency key came with another body: nothing was written


class PutOutcome(msgspec.Struct, frozen=True):
    """`tweet_id` is the stored or the earlier one; 0 for `KEY_REUSED`."""

    status: PutStatus
    tweet_id: int


class FollowStatus(IntEnum):
    CREATED = 0
    CHANGED = 1  # it stood; its retweets setting changed
    UNCHANGED = 2
    FULL = 3  # the follower follows `following_max` already: nothing was written


class NewFollow(msgspec.Struct, frozen=True, kw_only=True):
    """`merged` is true only where nothing can be missing from the follower's timeline (bulk import)."""

    follower: int
    followee: int
    retweets: bool = True
    merged: bool = False
    created_ms: int = 0
    events: tuple[Event, ...] = ()


class FollowOutcome(msgspec.Struct, frozen=True, gc=False):
    """`sequence` identifies the edge: a follow after an unfollow has a higher one."""

    status: FollowStatus
    sequence: int


class Following(msgspec.Struct, frozen=True):
    """Whom one user follows: ids in order of follow (oldest first), and the exceptions among them.

    `unmerged` pairs (followee, sequence of the edge) are sources pulled at read time until they are merged.
    """

    followees: tuple[int, ...] = ()
    without_retweets: frozenset[int] = frozenset()
    unmerged: tuple[tuple[int, int], ...] = ()


class Edge(msgspec.Struct, frozen=True, gc=False):
    """One row of a list of people, with the sequence that pages it."""

    user_id: int
    sequence: int


class Carried(msgspec.Struct, frozen=True, gc=False):
    """What carrying one edge to the followee's list did, and the list's length after it."""

    followers: int
    added: bool
    removed: bool


class Relation(StrEnum):
    BLOCK = "block"
    MUTE = "mute"


class Blocks(msgspec.Struct, frozen=True):
    """`blocked` by this user, `blocked_by` others: either hides both from each other. `muted` hides one way."""

    blocked: frozenset[int] = frozenset()
    blocked_by: frozenset[int] = frozenset()
    muted: frozenset[int] = frozenset()


class FollowRequest(msgspec.Struct, frozen=True):
    """A wish to follow a private account, open until accepted, rejected or withdrawn."""

    request_id: int
    requester: int
    target: int
    retweets: bool
    created_ms: int


class FanoutMode(IntEnum):
    """`LEAVING` is pushed and pulled: from the moment an author falls below the exit until the backfill is done."""

    PUSH = 0
    PULL = 1
    LEAVING = 2


class AuthorMode(msgspec.Struct, frozen=True):
    """`since_id`: tweets made from this id on were fanned out by this mode."""

    mode: FanoutMode = FanoutMode.PUSH
    since_id: int = 0


class RowState(IntEnum):
    """Of a cached timeline. Lapsed (not touched for `inactive_after_ms`) counts as absent everywhere."""

    ABSENT = 0
    BUILDING = 1
    COMPLETE = 2


class Push(IntEnum):
    """What became of one entry for one reader (rule 15)."""

    STORED = 0
    DUPLICATE = 1
    OLDER_THAN_TAIL = 2  # older than the tail of a full timeline, or than `complete_back_to`
    INACTIVE = 3  # lapsed
    NOT_RESIDENT = 4  # absent


class Mark(msgspec.Struct, frozen=True):
    """A row's moment. `epoch` moves when the row is begun, dropped, replaced or has entries removed;
    `arrivals` counts pushes into it."""

    epoch: int
    arrivals: int


class Row(msgspec.Struct, frozen=True):
    """A cached timeline, or a window of one. `entries` sorted newest first and unique by id.

    Nothing at or above `complete_back_to` is missing; entries below it must not be relied on. 0: from the beginning.
    `more`: the row holds older entries than the window. `building_since_ms` is 0 unless building.
    """

    state: RowState
    complete_back_to: int
    entries: Entries
    more: bool
    mark: Mark
    seen_ms: int
    building_since_ms: int = 0


class WorkVerb(StrEnum):
    PUSH = "push"
    REMOVE = "remove"
    BACKFILL = "backfill"


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """A range of an author's followers still to be served: the continuation of a large fan-out.

    `work_id` is the offset of the event that caused it. `after` is the follower cursor reached.
    """

    work_id: int
    verb: WorkVerb
    author: int
    tweet: int
    ref: int = 0
    after: int = 0
    batch: int = 0
    created_ms: int = 0
    request_id: str = ""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """The account of one batch of one tweet's fan-out (rule 15); recorded once by (tweet, batch).

    attempted = stored + duplicate + older_than_tail + skipped + filtered, or pulled = followers at the decision.
    `last` marks the tweet's final batch; `lag_ms` is from creation to this batch's end.
    """

    tweet: int
    batch: int
    attempted: int = 0
    stored: int = 0
    duplicate: int = 0
    older_than_tail: int = 0
    skipped: int = 0
    filtered: int = 0
    pulled: int = 0
    last: bool = False
    lag_ms: int = 0


def whole_account(batches: Sequence[Delivery]) -> list[Delivery]:
    """The batches of one tweet, in order, up to its last: what lies behind is of an event that was handled once more."""
    end = next((place for place, one in enumerate(batches, 1) if one.last), len(batches))
    return list(batches[:end])


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What one consumer did: durable in this order — deliveries, work put, work done, offset."""

    group: str
    offset: int
    deliveries: tuple[Delivery, ...] = ()
    put: tuple[Work, ...] = ()
    done: tuple[int, ...] = ()


class Parked(msgspec.Struct, frozen=True):
    """An event that failed `event_attempts_max` times in a group, out of the way until someone looks."""

    parked_id: int
    group: str
    logged: LoggedEvent
    error: str
    parked_ms: int


class GroupLag(msgspec.Struct, frozen=True):
    """How far behind a consumer group is. `lag_ms` is the age of the oldest event it has not finished; 0 if none."""

    group: str
    offset: int
    tail: int
    events: int
    work: int
    lag_ms: int
    parked: int
    owner: str


class Session(msgspec.Struct, frozen=True):
    """A log-in. `token_hash` is SHA-256 of the bearer token, which itself is stored nowhere."""

    token_hash: bytes
    user_id: int
    created_ms: int
