"""What passes between the parts: events, their places in the log, and how far a consumer has come with them."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from .entries import Delivery


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


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What one consumer did: durable in this order — deliveries, work put, work done, offset.

    `fence` is that of the lease under which it was done, as it was claimed, and `number` rises with each such step: a step that
    comes late, after a later one or after another's claim, changes nothing. 0: whoever has no lease does not say.
    """

    group: str
    offset: int
    fence: int = 0
    number: int = 0
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
