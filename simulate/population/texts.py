"""What computed people are called and what they write: a tweet's words are a function of its id. Python, one tweet at a time.

Tags, names and links in a text are exactly those that the service would find in it; hashtags are used by Zipf's law.
Texts mean nothing, are in one language, and are of no realistic length: sizes in bytes are inputs elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...core.ids import ms_of
from ...core.model import Tweet
from . import threads
from .activity import HASHTAGS, LINKS, MEDIA, TAG_EXPONENT, Floats
from .activity import TAGS as TAG_COUNT
from .words import FIRST, LAST, OPENINGS, QUOTES, REPLIES, TAGS, TOPICS

_MASK = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15
TEXT_STREAM, NAME_STREAM = 0x7E87, 0xA3E


class Draw:
    """Keyed numbers, one after the other; the same for the same key."""

    def __init__(self, key: int) -> None:
        self._state = key & _MASK

    def bits(self) -> int:
        """64 of them: splitmix64."""
        self._state = (self._state + _STEP) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def unit(self) -> float:
        """In [0, 1)."""
        return (self.bits() >> 11) / (1 << 53)

    def one_of(self, words: Sequence[str]) -> str:
        """Any of them."""
        return words[self.bits() % len(words)]


def display_name(seed: int, i: int) -> str:
    """Of user i."""
    draw = Draw((seed ^ NAME_STREAM) * _STEP + i)
    return f"{draw.one_of(FIRST)} {draw.one_of(LAST)}"


def tweet(act: Floats, seed: int, tweet_id: int, facts: Sequence[int]) -> Tweet:
    """The tweet of that id, whose facts `threads.describe` tells."""
    author, kind, parent, parent_author, root, mentioned = (int(fact) for fact in facts)
    if kind == threads.RETWEET:
        return Tweet(
            tweet_id=tweet_id, author_id=author + 1, created_ms=ms_of(tweet_id), conversation_id=tweet_id,
            retweet_of=parent, retweet_of_author=parent_author + 1,
        )  # fmt: skip
    draw = Draw((seed ^ TEXT_STREAM) * _STEP + tweet_id)
    named = parent_author if kind == threads.REPLY else mentioned
    name = f"u{named + 1}" if named >= 0 else ""
    tag = hashtag(zipf(draw.unit(), act[TAG_COUNT], act[TAG_EXPONENT])) if draw.unit() < act[HASHTAGS] else ""
    url = f"https://example.org/{draw.bits() % (1 << 40):x}" if draw.unit() < act[LINKS] and kind != threads.REPLY else ""
    media = (f"{draw.bits():016x}",) if draw.unit() < act[MEDIA] else ()
    reply, quote = kind == threads.REPLY, kind == threads.QUOTE
    return Tweet(
        tweet_id=tweet_id, author_id=author + 1, created_ms=ms_of(tweet_id), text=_text(draw, kind, name, tag, url),
        conversation_id=root, hashtags=(tag,) if tag else (), urls=(url,) if url else (), media=media,
        mentions=(named + 1,) if name else (), mention_names=(name,) if name else (),
        reply_to=parent if reply else 0, reply_to_author=parent_author + 1 if reply else 0,
        quote_of=parent if quote else 0, quote_of_author=parent_author + 1 if quote else 0,
    )  # fmt: skip


def zipf(u: float, count: float, exponent: float) -> int:
    """A rank from 0, used in proportion to (rank + 1)^-exponent, of `count`: the continuous law, cut to whole ranks."""
    top = count + 1.0
    if abs(exponent - 1) < 1e-9:
        return min(int(top**u), int(count)) - 1
    power = 1 - exponent
    return min(int((1 + u * (top**power - 1)) ** (1 / power)), int(count)) - 1


def hashtag(rank: int) -> str:
    """The tag of a rank: different for different ranks."""
    if rank < len(TAGS):
        return TAGS[rank]
    rank -= len(TAGS)
    digits = [rank % len(LAST)]
    while rank >= len(LAST):
        rank = rank // len(LAST) - 1
        digits.append(rank % len(LAST))
    return "".join(LAST[digit] for digit in reversed(digits))


def _text(draw: Draw, kind: int, name: str, tag: str, url: str) -> str:
    if kind == threads.REPLY:
        parts = [f"@{name}", draw.one_of(REPLIES)]
    elif kind == threads.QUOTE:
        parts = [draw.one_of(QUOTES)]
    else:
        parts = [draw.one_of(OPENINGS), draw.one_of(TOPICS)]
    if name and kind != threads.REPLY:
        parts.append(f"@{name}")
    return " ".join([*parts, *([f"#{tag}"] if tag else []), *([url] if url else [])])
