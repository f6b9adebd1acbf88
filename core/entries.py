"""What timelines are made of, how tweets come into them, and what became of each push.

Entries are not structs: a list of them is an int64 array of shape (n, 2), a row being
(tweet id, id of what it retweets or 0), newest first by tweet id. `Entries` names that shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, TypeAlias

import msgspec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Entries: TypeAlias = npt.NDArray[np.int64]  # (n, 2): tweet id, retweeted id or 0; newest first
    Ids: TypeAlias = npt.NDArray[np.int64]  # (n,)


class RowState(IntEnum):
    """Of a cached timeline. Lapsed (not touched for `inactive_after_ms`) counts as absent everywhere."""

    ABSENT = 0
    BUILDING = 1
    COMPLETE = 2


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


class Push(IntEnum):
    """What became of one entry for one reader (rule 15)."""

    STORED = 0
    DUPLICATE = 1
    OLDER_THAN_TAIL = 2  # older than the tail of a full timeline, or than `complete_back_to`
    INACTIVE = 3  # lapsed
    NOT_RESIDENT = 4  # absent


class FanoutMode(IntEnum):
    """`LEAVING` is pushed and pulled: from the moment an author falls below the exit until the backfill is done."""

    PUSH = 0
    PULL = 1
    LEAVING = 2


class AuthorMode(msgspec.Struct, frozen=True):
    """`since_id`: tweets made from this id on were fanned out by this mode."""

    mode: FanoutMode = FanoutMode.PUSH
    since_id: int = 0


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
