"""What the fragment cache is made of: encoded tweets with the indexes by which events find them. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from ..model import Tweet


class Plain(msgspec.Struct, gc=False):
    """An encoded tweet that is the same for everybody who may see it; b"" once an event made it untrue."""

    body: bytes


class Standing(msgspec.Struct):
    """A page of such alone, by the list of its ids: the generations in which they were found, and their bodies as they were
    when so many fragments had been dropped."""

    ids: Sequence[int]
    turn: int
    fragments: list[Plain]
    bodies: list[bytes]
    drops: int


class Quoting(msgspec.Struct, frozen=True, gc=False):
    """An encoded tweet with a quote in its chain: good for viewers who may see all of `quoted`."""

    body: bytes
    subjects: tuple[int, ...]
    quoted: tuple[Tweet, ...]
    tweets: tuple[int, ...]
    authors: tuple[int, ...]


class Generation:
    """Half of the cache, dropped at once with its indexes when the next half is full."""

    def __init__(self) -> None:
        self.plain: dict[int, Plain] = {}
        self.quoting: dict[int, Quoting] = {}
        self.by_author: dict[int, set[int]] = {}
        self.around: dict[int, set[int]] = {}  # tweet inside -> tweets that show it

    def __len__(self) -> int:
        return len(self.plain) + len(self.quoting)

    def index(self, tweet_id: int, tweets: Sequence[int], authors: Sequence[int]) -> None:
        for inner in tweets:
            if inner != tweet_id:
                add(self.around, inner, tweet_id)
        for author in authors:
            add(self.by_author, author, tweet_id)

    def drop(self, tweet_id: int) -> None:
        self.drop_all((tweet_id, *self.around.pop(tweet_id, ())))

    def drop_all(self, tweet_ids: Iterable[int]) -> None:
        for tweet_id in tweet_ids:
            plain = self.plain.pop(tweet_id, None)
            if plain is None:
                self.quoting.pop(tweet_id, None)
            else:
                plain.body = b""  # for the pages that stand on it


def add(index: dict[int, set[int]], key: int, tweet_id: int) -> None:
    """Note in an index that this tweet shows what `key` is."""
    found = index.get(key)
    if found is None:
        index[key] = {tweet_id}
    else:
        found.add(tweet_id)
