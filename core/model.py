"""What is stored of people, tweets and who follows whom: frozen structs, no behaviour beyond what they are.

What happened to them is in `events`, what timelines are made of in `entries`.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

import msgspec

from .events import Event


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


class Session(msgspec.Struct, frozen=True):
    """A log-in. `token_hash` is SHA-256 of the bearer token, which itself is stored nowhere."""

    token_hash: bytes
    user_id: int
    created_ms: int


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
