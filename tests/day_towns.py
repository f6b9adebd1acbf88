"""A small town whose every tweet is known, in the real core's stores and as plain facts beside them."""

from __future__ import annotations

import random
from bisect import bisect_left

import numpy as np
from builders import build_twit, make_user, settle

from twit.core.limits import Limits
from twit.simulate.day.core_run import CountedCore

SMALL = {
    "timeline_entries_max": 60, "timeline_page_default": 10, "timeline_page_max": 20, "retweet_dedupe_window": 6,
    "celebrity_followers_min": 14, "celebrity_followers_exit": 12, "fanout_batch": 5, "celebrity_list_entries": 9,
    "cached_likes_per_viewer_max": 1_000, "scan_max": 400,
}  # fmt: skip


class TownFacts:
    """`ops.Facts` by having watched."""

    def __init__(self, limits):
        self.limits = limits
        self.following, self.followed, self.lists, self.known, self.people = {}, {}, {}, {}, {}

    def followees(self, user):
        return self.following.get(user, [])

    def followers(self, user):
        return len(self.followed.get(user, []))

    def is_pulled(self, author):
        return self.followers(author) > self.limits.celebrity_followers_min

    def newest(self, authors, before, limit):
        return [self.newest_of(author, before, limit) for author in authors]

    def newest_of(self, author, before, limit):
        ids = self.lists.get(author, [])
        upto = bisect_left(ids, before)
        return np.array(ids[max(0, upto - limit) : upto][::-1], np.int64)

    def tweets(self, tweet_ids):
        return [self.known[one] for one in tweet_ids]

    def user(self, user_id):
        return self.people[user_id]

    def likes(self, user):
        return 0

    def add(self, tweet):
        self.known[tweet.tweet_id] = tweet
        self.lists.setdefault(tweet.author_id, []).append(tweet.tweet_id)


class Town:
    """People who follow by chance, some of them loved by nearly all."""

    def __init__(self, twit, clock, facts, core, chance):
        self.twit, self.clock, self.facts, self.core, self.chance = twit, clock, facts, core, chance

    async def tweet(self, author):
        """Somebody says something: now and then an answer, a quote or a retweet. Returns the tweet and its counts."""
        self.clock.advance(self.chance.randint(1, 50))
        known = [one for one in list(self.facts.known)[-40:] if not self.facts.known[one].retweet_of]
        drawn = self.chance.random()
        other = self.chance.choice(known) if known else 0
        text = f"words {'x' * self.chance.randint(0, 90)} {'@u3' if drawn > 0.9 else ''}"
        if other and drawn < 0.15:
            command = lambda commands: commands.retweet(author, other)
        elif other and drawn < 0.45:
            command = lambda commands: commands.post(author, text, reply_to=other)
        elif other and drawn < 0.55:
            command = lambda commands: commands.post(author, text, quote_of=other)
        else:
            command = lambda commands: commands.post(author, text)
        tweet, asked = await self.core.post(command)
        if tweet.tweet_id in self.facts.known:
            return None, asked  # he had retweeted it before
        self.facts.add(tweet)
        return tweet, asked


async def build_town(folder, clock, people=40, seed=1, **changes):
    chance = random.Random(seed)
    bounds = {**SMALL, **changes}
    twit = await build_twit(folder, clock, **bounds)
    limits = Limits(**bounds)
    facts = TownFacts(limits)
    ids = [await make_user(twit, f"u{i}") for i in range(1, people + 1)]
    for user in ids:
        facts.people[user] = await twit.user(0, user)
    for user in ids[1:]:  # the first follows nobody
        loved = [one for one in ids[:4] if one != user and chance.random() < 0.8]
        others = chance.sample([one for one in ids[4:] if one != user], chance.randint(0, 9))
        for target in (*loved, *others):
            await twit.follow(user, target)
            facts.following.setdefault(user, []).append(target)
            facts.followed.setdefault(target, []).append(user)
    await settle(twit)
    core = CountedCore(twit.stores, limits, clock, chance, node=17)
    return Town(twit, clock, facts, core, chance), ids
