"""What a file of interactions becomes: MT a mention, RE a reply, RT a retweet — decided from the file alone.

Pure: no store, no clock. The same file gives the same tweets with the same ids, so a restart walks the part that is
already stored without storing it again.

MT  a tweet by the actor that mentions the target.
RE  a reply to the target's newest tweet; where he has none, to an original made for it.
RT  a retweet of the target's newest tweet that the actor has not retweeted yet; where there is none, of an original
    made for it. "Newest tweet" means his own words: mentions, replies and originals, never a retweet.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec

from ...core.events import Event, EventKind
from ...core.ids import EPOCH_MS, id_at
from ...core.model import NewTweet, Tweet
from .lines import file_user

SECOND_MIN, SECOND_MAX = EPOCH_MS // 1000, EPOCH_MS // 1000 + (1 << 41) // 1000 - 1
IDS_PER_SECOND = 999 + 4_096  # one a millisecond, and a full sequence in the last


class Action(StrEnum):
    """The three kinds of row."""

    RETWEET = "RT"
    MENTION = "MT"
    REPLY = "RE"


class Row(msgspec.Struct, frozen=True, gc=False):
    """`actor target unix_seconds action`, users as numbered in the file."""

    actor: int
    target: int
    second: int
    action: Action


class Case(StrEnum):
    """How each row came out; the report counts them."""

    MENTION = "mention"
    REPLY = "reply to the target's newest"
    REPLY_TO_MADE = "reply to an original made for it"
    RETWEET = "retweet of the target's newest not yet retweeted"
    RETWEET_OF_MADE = "retweet of an original made for it"


def parse_row(fields: list[str]) -> Row:
    """A row from its four fields; `ValueError` says what is wrong."""
    if len(fields) != 4:
        raise ValueError(f"{len(fields)} fields, not 4: actor target unix_seconds action")
    actor, target, second, action = fields
    if not second.isdigit() or not SECOND_MIN <= int(second) <= SECOND_MAX:
        raise ValueError(f"{second[:40]!r} is not a unix time between {SECOND_MIN} and {SECOND_MAX}")
    if action not in list(Action):
        raise ValueError(f"action {action[:40]!r} is none of RT, MT, RE")
    return Row(file_user(actor), file_user(target), int(second), Action(action))


class Replay:
    """Turns rows into tweets, in order. `user_of` gives the user id of a file's user, `name_of` his name."""

    def __init__(self, user_of: Callable[[int], int], name_of: Callable[[int], str], node: int, at_ms: int) -> None:
        self._user_of = user_of
        self._name_of = name_of
        self._node = node
        self._at_ms = at_ms
        self._used: dict[int, int] = {}  # ids given in each second
        self._own: dict[int, list[tuple[int, int]]] = {}  # target → (tweet, conversation), oldest first
        self._retweeted: set[tuple[int, int]] = set()  # (actor, original)
        self.cases: dict[Case, int] = dict.fromkeys(Case, 0)

    def apply(self, row: Row) -> list[NewTweet]:
        """The one or two tweets of this row, originals first."""
        if row.action is Action.MENTION:
            self.cases[Case.MENTION] += 1
            return [self._mention(row)]
        if row.action is Action.REPLY:
            return self._reply(row)
        return self._retweet(row)

    def _mention(self, row: Row) -> NewTweet:
        name = self._name_of(row.target)
        tweet_id = self._next_id(row.second)
        self._own.setdefault(row.actor, []).append((tweet_id, tweet_id))
        return self._new(
            Tweet(
                tweet_id=tweet_id, author_id=self._user_of(row.actor), text=f"@{name} have you seen this?",
                created_ms=row.second * 1000, conversation_id=tweet_id, mentions=(self._user_of(row.target),), mention_names=(name,),
            ),
        )

    def _reply(self, row: Row) -> list[NewTweet]:
        made = [] if self._own.get(row.target) else [self._original(row)]
        self.cases[Case.REPLY_TO_MADE if made else Case.REPLY] += 1
        parent, conversation = self._own[row.target][-1]
        tweet_id = self._next_id(row.second)
        name = self._name_of(row.target)
        self._own.setdefault(row.actor, []).append((tweet_id, conversation))
        reply = Tweet(
            tweet_id=tweet_id, author_id=self._user_of(row.actor), text=f"@{name} agreed", created_ms=row.second * 1000,
            reply_to=parent, reply_to_author=self._user_of(row.target), conversation_id=conversation,
            mentions=(self._user_of(row.target),), mention_names=(name,),
        )
        return [*made, self._new(reply)]

    def _retweet(self, row: Row) -> list[NewTweet]:
        fresh = (own for own, _ in reversed(self._own.get(row.target, ())) if (row.actor, own) not in self._retweeted)
        original = next(fresh, 0)
        made = [] if original else [self._original(row)]
        self.cases[Case.RETWEET_OF_MADE if made else Case.RETWEET] += 1
        original = original or made[0].tweet.tweet_id
        self._retweeted.add((row.actor, original))
        tweet_id = self._next_id(row.second)
        retweet = Tweet(
            tweet_id=tweet_id, author_id=self._user_of(row.actor), created_ms=row.second * 1000, conversation_id=tweet_id,
            retweet_of=original, retweet_of_author=self._user_of(row.target),
        )
        return [*made, self._new(retweet)]

    def _original(self, row: Row) -> NewTweet:
        tweet_id = self._next_id(row.second)
        own = self._own.setdefault(row.target, [])
        own.append((tweet_id, tweet_id))
        return self._new(
            Tweet(
                tweet_id=tweet_id, author_id=self._user_of(row.target), text=f"No. {len(own)} from {self._name_of(row.target)}",
                created_ms=row.second * 1000, conversation_id=tweet_id,
            ),
        )

    def _next_id(self, second: int) -> int:
        used = self._used.get(second, 0)
        if used >= IDS_PER_SECOND:
            raise ValueError(f"more than {IDS_PER_SECOND} tweets in second {second}")
        self._used[second] = used + 1
        return id_at(second * 1000 + min(used, 999), self._node, max(0, used - 999))

    def _new(self, tweet: Tweet) -> NewTweet:
        event = Event(
            kind=EventKind.TWEET_CREATED, key=tweet.author_id, actor=tweet.author_id, tweet=tweet.tweet_id,
            target=tweet.retweet_of_author or tweet.reply_to_author, ref=tweet.retweet_of, at_ms=self._at_ms,
        )
        return NewTweet(tweet=tweet, events=(event,))
