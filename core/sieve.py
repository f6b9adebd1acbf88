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

    Where nothing is a retweet `subjects` is `ids` itself, the same list.
    `answers` are those of `ids` that answer somebody other than their author: a parent must stand with them (rule 5).
    `own` tells whether one of these is the reader's own.
    """

    ids: list[int]
    subjects: list[int]
    answers: list[int]
    own: bool


class Sieve:
    """Over the process caches."""

    def __init__(self, caches: Caches) -> None:
        self._caches = caches

    async def sift(self, viewer: Viewer, ids: list[int], hidden: dict[str, int] | None = None) -> Sifted:
        """Keep what `viewer` may see. Where `hidden` is given, what is kept out is counted there by its reason."""
        quick = await self.quickly(viewer, ids) if hidden is None else None
        return quick if quick is not None else await self._slow(viewer, ids, hidden)

    async def quickly(self, viewer: Viewer, ids: list[int]) -> Sifted | None:
        """The common case, after loading what is not known; `None` where something is out of the ordinary."""
        quick = self.quick(viewer, ids)
        return self.quick(viewer, ids) if quick is None and await self._learn(ids) else quick

    def quick(self, viewer: Viewer, ids: list[int]) -> Sifted | None:
        """The common case, from what the process knows; `None` where something is not known or out of the ordinary."""
        caches = self._caches
        try:
            known = list(map(caches.facts.__getitem__, ids))
        except KeyError:
            return None
        special: list[int] = []
        authors = known
        if known and min(known) <= 0:
            special = [at for at, author in enumerate(known) if author <= 0]
            authors = [author for author in map(abs, known) if author]
        if not (viewer.circle.issuperset(authors) and caches.odd.isdisjoint(authors)):
            return None
        if viewer.muted and not viewer.muted.isdisjoint(authors):
            return None
        if viewer.hidden and self._mentions_hidden(viewer, ids):
            return None
        if not special:
            return Sifted(ids, ids, [], own=False)
        return self._specials(viewer, ids, known, special)

    def _mentions_hidden(self, viewer: Viewer, ids: list[int]) -> bool:
        """Whether any of these mentions someone blocked, or is not at hand."""
        get, blocked = self._caches.tweet_cache.get, viewer.hidden
        for tweet_id in ids:
            tweet = get(tweet_id)
            if tweet is None or (tweet.mentions and not blocked.isdisjoint(tweet.mentions)):
                return True
        return False

    def _specials(self, viewer: Viewer, ids: list[int], known: list[int], special: list[int]) -> Sifted | None:
        """Tombstones, retweets and answers among authors who are all in order. `known` are their facts."""
        facts, specials, plain = self._caches.facts, self._caches.specials, self._caches.plain
        circle, hidden, muted, without = viewer.circle, viewer.hidden, viewer.muted, viewer.without_retweets
        subjects = ids
        answers: list[int] = []
        out: list[int] = []
        own = False
        for at in special:
            author = -known[at]
            if not author:
                out.append(at)
                continue
            original, other = specials[ids[at]]
            if original:
                if hidden or other not in plain or other in muted or author in without or not facts.get(original):
                    return None
                subjects = ids.copy() if subjects is ids else subjects
                subjects[at] = original
            elif author == viewer.user_id:
                answers.append(ids[at])
                own = True
            elif other not in circle:
                out.append(at)
            elif other in hidden:
                return None
            else:
                answers.append(ids[at])
        if out:
            ids, subjects = _without(ids, subjects, out)
        return Sifted(ids, subjects, answers, own)

    async def _learn(self, ids: list[int]) -> bool:
        """Load what `quick` does not know of these; false where it knows all."""
        caches = self._caches
        missing = [tweet_id for tweet_id in ids if tweet_id not in caches.facts]
        if not missing:
            return False
        tweets = [tweet for tweet in await caches.tweets(missing) if tweet is not None]
        authors = {tweet.author_id: None for tweet in tweets}
        unknown = [author for author in authors if author not in caches.plain and author not in caches.odd]
        if unknown:
            await caches.users(unknown)
        for loaded in tweets:
            if loaded.tweet_id not in caches.facts and caches.tweet_cache.peek(loaded.tweet_id) is loaded:
                caches.keep_facts(loaded)  # it was kept before its author was known
        return True

    async def _slow(self, viewer: Viewer, ids: list[int], hidden: dict[str, int] | None) -> Sifted:
        """Load what is missing and ask the rules about each."""
        caches = self._caches
        tweets: dict[int, Tweet] = {tweet.tweet_id: tweet for tweet in await caches.tweets(ids) if tweet is not None}
        originals = [tweet.retweet_of for tweet in tweets.values() if tweet.retweet_of]
        if originals:
            tweets.update((tweet.tweet_id, tweet) for tweet in await caches.tweets(originals) if tweet is not None)
        users = await self._users_of(tweets)
        for loaded in tweets.values():
            if loaded.tweet_id not in caches.facts and caches.tweet_cache.peek(loaded.tweet_id) is loaded:
                caches.keep_facts(loaded)  # it was kept before its author was known
        kept: list[int] = []
        subjects: list[int] = []
        answers: list[int] = []
        own = False
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
                answers.append(tweet_id)
                own = own or tweet.author_id == viewer.user_id
        return Sifted(kept, subjects, answers, own)

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


def _without(ids: list[int], subjects: list[int], places: list[int]) -> tuple[list[int], list[int]]:
    """Both lists without these places, which rise; one list stays one."""
    shown = ids.copy()
    kept = shown if subjects is ids else subjects
    for at in reversed(places):
        del shown[at]
        if kept is not shown:
            del kept[at]
    return shown, kept
