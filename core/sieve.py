"""Keeps of a run of candidates those that their reader may see in his home timeline, and says what each one repeats.

Most candidates need no more than their author: two set comparisons settle a whole run. The rest are looked at one by one,
through `visibility.home_hides`, which is the meaning of both ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .caches import Caches
from .model import Tweet, User
from .visibility import Viewer, home_hides


class Sifted(NamedTuple):
    """`ids` may be seen, newest first; `subjects` are what each one shows: itself, or what it retweets.

    `answers` are those that answer somebody other than their author: a parent must stand with them (rule 5).
    """

    ids: list[int]
    subjects: list[int]
    answers: list[Tweet]


class Sieve:
    """Over the process caches."""

    def __init__(self, caches: Caches) -> None:
        self._caches = caches

    async def sift(self, viewer: Viewer, ids: list[int], hidden: dict[str, int] | None = None) -> Sifted:
        """Keep what `viewer` may see. Where `hidden` is given, what is kept out is counted there by its reason."""
        quick = self._quick(viewer, ids) if hidden is None else None
        return quick if quick is not None else await self._slow(viewer, ids, hidden)

    def _quick(self, viewer: Viewer, ids: list[int]) -> Sifted | None:
        """The common case, from what the process knows; `None` where something is not known or out of the ordinary."""
        caches = self._caches
        facts = list(map(caches.simple.get, ids))
        if None in facts:
            return None
        known: list[int] = facts  # type: ignore[assignment]  # no None among them
        special = [at for at, author in enumerate(known) if author < 0]
        authors = set(map(abs, known)) if special else set(known)
        if not (caches.plain.issuperset(authors) and viewer.circle.issuperset(authors) and viewer.muted.isdisjoint(authors)):
            return None
        if viewer.hidden and self._mentions_hidden(viewer, ids):
            return None
        if not special:
            return Sifted(ids, ids, [])
        return self._specials(viewer, ids, special)

    def _mentions_hidden(self, viewer: Viewer, ids: list[int]) -> bool:
        """Whether any of these mentions someone blocked, or is not at hand."""
        get, blocked = self._caches.tweet_cache.get, viewer.hidden
        for tweet_id in ids:
            tweet = get(tweet_id)
            if tweet is None or (tweet.mentions and not blocked.isdisjoint(tweet.mentions)):
                return True
        return False

    def _specials(self, viewer: Viewer, ids: list[int], special: list[int]) -> Sifted | None:
        """Retweets and answers among authors who are all in order."""
        get, plain = self._caches.tweet_cache.get, self._caches.plain
        circle, hidden, muted, without = viewer.circle, viewer.hidden, viewer.muted, viewer.without_retweets
        subjects = ids.copy()
        answers: list[Tweet] = []
        out: list[int] = []
        for at in special:
            tweet = get(ids[at])
            if tweet is None:
                return None
            if tweet.deleted:
                out.append(at)
            elif tweet.retweet_of:
                original = get(tweet.retweet_of)
                if original is None:
                    return None
                author = original.author_id
                if original.deleted or author not in plain or author in muted or tweet.author_id in without or hidden:
                    return None
                subjects[at] = tweet.retweet_of
            elif tweet.reply_to_author not in circle and tweet.author_id != viewer.user_id:
                out.append(at)
            elif tweet.reply_to_author in hidden:
                return None
            else:
                answers.append(tweet)
        if out:
            ids = ids.copy()
            for at in reversed(out):
                del ids[at], subjects[at]
        return Sifted(ids, subjects, answers)

    async def _slow(self, viewer: Viewer, ids: list[int], hidden: dict[str, int] | None) -> Sifted:
        """Load what is missing and ask the rules about each."""
        caches = self._caches
        tweets: dict[int, Tweet] = {tweet.tweet_id: tweet for tweet in await caches.tweets(ids) if tweet is not None}
        originals = [tweet.retweet_of for tweet in tweets.values() if tweet.retweet_of]
        if originals:
            tweets.update((tweet.tweet_id, tweet) for tweet in await caches.tweets(originals) if tweet is not None)
        users = await self._users_of(tweets)
        kept: list[int] = []
        subjects: list[int] = []
        answers: list[Tweet] = []
        for tweet_id in ids:
            tweet = tweets.get(tweet_id)
            why = "deleted" if tweet is None else home_hides(viewer, tweet, users.get, tweets.get)
            if tweet is None or why is not None:
                if hidden is not None:
                    hidden[str(why)] = hidden.get(str(why), 0) + 1
                continue
            kept.append(tweet_id)
            subjects.append(tweet.retweet_of or tweet_id)
            if tweet.reply_to and tweet.reply_to_author != tweet.author_id:
                answers.append(tweet)
        return Sifted(kept, subjects, answers)

    async def _users_of(self, tweets: dict[int, Tweet]) -> dict[int, User]:
        authors = list({tweet.author_id: None for tweet in tweets.values()})
        return {user.user_id: user for user in await self._caches.users(authors) if user is not None}


def repeated(subjects: Sequence[int], window: int) -> set[int]:
    """Return the places (rule 6) whose subject stands again among the `window` next older ones."""
    if len(set(subjects)) == len(subjects):
        return set()
    hidden: set[int] = set()
    last: dict[int, int] = {}
    for at, subject in enumerate(subjects):
        before = last.get(subject)
        if before is not None and at - before <= window:
            hidden.add(before)
        last[subject] = at
    return hidden
