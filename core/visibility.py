"""Who may see what (rules 5, 7 and 8), as pure functions over what the caller has at hand.

Nothing here reads a store or a clock. `user_of` and `tweet_of` answer from what was loaded before; `None` means: no such thing.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from .model import AccountStatus, Tweet, User

UserOf = Callable[[int], User | None]
TweetOf = Callable[[int], Tweet | None]


class Viewer(msgspec.Struct, frozen=True, kw_only=True):
    """What decides how one reader sees the others. User id 0 is nobody: a reader who follows, blocks and mutes no one.

    `circle` is whom he follows and himself: whose tweets may stand in his home timeline. `hidden` are those blocked
    either way. `pulled` are followees whose tweets are not pushed, `unmerged` (followee, edge sequence) new follows that are
    pulled until merged. `liked` and `retweeted` are originals; where `liked_whole` is false an absent one may still be liked,
    and an original with an id below `retweeted_from` may still be retweeted. Both sets are kept true in place by the caches.
    """

    user_id: int
    circle: frozenset[int] = frozenset()
    without_retweets: frozenset[int] = frozenset()
    unmerged: tuple[tuple[int, int], ...] = ()
    hidden: frozenset[int] = frozenset()
    blocked: frozenset[int] = frozenset()
    muted: frozenset[int] = frozenset()
    pulled: tuple[int, ...] = ()
    liked: set[int] = msgspec.field(default_factory=set)
    liked_whole: bool = True
    retweeted: set[int] = msgspec.field(default_factory=set)
    retweeted_from: int = 0

    @property
    def following(self) -> frozenset[int]:
        """Whom he follows."""
        return self.circle - {self.user_id}


NOBODY = Viewer(user_id=0)


def sees_author(viewer: Viewer, author: User | None) -> bool:
    """Whether the viewer may see this author's tweets and profile at all."""
    return hides_author(viewer, author) is None


def sees_tweet(viewer: Viewer, tweet: Tweet | None, user_of: UserOf, tweet_of: TweetOf | None = None) -> bool:
    """Whether the viewer may see this tweet anywhere: thread, user timeline, by its id.

    For a retweet `tweet_of` gives the original; without it only the original's author is asked about.
    """
    return tweet is not None and hides_tweet(viewer, tweet, user_of, tweet_of) is None


def home_hides(viewer: Viewer, tweet: Tweet, user_of: UserOf, tweet_of: TweetOf) -> str | None:
    """Name what keeps this tweet out of the viewer's home timeline; `None` where nothing does. Rule 6 is not asked here."""
    author, own = tweet.author_id, tweet.author_id == viewer.user_id
    if author not in viewer.circle:
        return "not_followed"
    hidden = hides_tweet(viewer, tweet, user_of, tweet_of)
    if hidden is not None or own:
        return hidden
    if author in viewer.muted or (tweet.retweet_of and tweet.retweet_of_author in viewer.muted):
        return "muted"
    if tweet.retweet_of and author in viewer.without_retweets:
        return "retweets_off"
    if tweet.reply_to and tweet.reply_to_author != author and tweet.reply_to_author not in viewer.circle:
        return "reply_to_stranger"
    return None


def hides_author(viewer: Viewer, author: User | None) -> str | None:
    """Name what hides this author from the viewer; one never hides from himself."""
    if author is None:
        return "gone"
    if author.user_id == viewer.user_id:
        return None
    if author.status is not AccountStatus.ACTIVE:
        return "inactive"
    if author.user_id in viewer.hidden:
        return "blocked"
    if author.is_private and author.user_id not in viewer.circle:
        return "private"
    return None


def hides_tweet(viewer: Viewer, tweet: Tweet, user_of: UserOf, tweet_of: TweetOf | None = None) -> str | None:
    """Name what hides this tweet from the viewer everywhere."""
    if tweet.deleted:
        return "deleted"
    if tweet.author_id != viewer.user_id:
        hidden = hides_author(viewer, user_of(tweet.author_id))
        if hidden is not None:
            return hidden
        if viewer.hidden and _speaks_of_hidden(viewer, tweet):
            return "blocked"
    if tweet.retweet_of:
        return _hides_original(viewer, tweet, user_of, tweet_of)
    return None


def _speaks_of_hidden(viewer: Viewer, tweet: Tweet) -> bool:
    if tweet.reply_to and tweet.reply_to_author in viewer.hidden:
        return True
    return bool(tweet.mentions) and not viewer.hidden.isdisjoint(tweet.mentions)


def _hides_original(viewer: Viewer, retweet: Tweet, user_of: UserOf, tweet_of: TweetOf | None) -> str | None:
    if tweet_of is None:
        return hides_author(viewer, user_of(retweet.retweet_of_author))
    original = tweet_of(retweet.retweet_of)
    if original is None or original.deleted:
        return "original_gone"
    return hides_tweet(viewer, original, user_of)
