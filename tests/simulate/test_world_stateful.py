"""The whole core in a computed world against the naive model: people who are computed go on tweeting while everybody else acts.

The machine is the embedded world's (`tests/machine.py`); what is new are edges and tweets that lie in no store, some of them
still to come when the walk begins.
"""

from __future__ import annotations

import random

import pytest
from builders import NOON_MS, CountedEntropy
from machine import LIMITS, PEOPLE, WEAK, Service
from walks import take
from world_bases import TabledBase

from twit.core import wiring
from twit.core.ids import id_at
from twit.core.limits import Limits
from twit.core.model import Tweet
from twit.core.offload import InlineOffload
from twit.simulate.world.stores import open_world_stores
from twit.simulate.world.turns import Turns

MOVES = {
    "follow": 10, "unfollow": 8, "fame_comes_or_goes": 2, "relate": 3, "set_private": 2, "answer_request": 2, "leave": 2, "post": 8,
    "reply": 8, "quote": 2, "retweet": 8, "delete": 6, "like": 3, "time_passes": 2, "a_moment_passes": 14, "timelines_are_lost": 2,
    "a_worker_comes_and_goes": 14, "nobody_sees_what_he_must_not_and_everybody_sees_his_own": 10,
    "after_a_drain_everything_is_the_models": 4,
}  # fmt: skip


class ComputedWorld(Service):
    """A `Service` over a table of people, edges and tweets that count as computed."""

    def __init__(self, chance):
        self.chance = chance
        self.base = TabledBase(PEOPLE)
        self.unheard: list[Tweet] = []
        super().__init__()
        self.turns = Turns(self.clock)

    async def open_service(self):
        bounds = Limits(**LIMITS)
        stores = await open_world_stores(self.base, bounds, self.clock, data=self.folder, durable=False, inline=True)
        return await wiring.build(
            stores, limits=bounds, clock=self.clock, chance=random.Random(7), entropy=CountedEntropy(), offload=InlineOffload()
        )

    def people_come(self):
        everybody = range(1, PEOPLE + 1)
        edges = [(a, b) for a in everybody for b in everybody if a != b and self.chance.random() < 0.4]
        self.base.edges += self.chance.sample(edges, len(edges))
        for user in everybody:
            self.reference.sign_up(user)
        for follower, followee in edges:
            self.reference.follow(follower, followee)
        ages = sorted(self.chance.sample(range(-50, 150), 60))
        for minutes in ages:
            self.base.said.append(self.computed(NOON_MS + minutes * 2_000))
        self.unheard = list(self.base.said)
        self.hear()

    def computed(self, at_ms):
        """A tweet, or a retweet or a reply to an earlier computed one."""
        author, tweet_id = self.chance.randint(1, PEOPLE), id_at(at_ms, 1_023, self.chance.randint(0, 4_095))
        earlier = [t for t in self.base.said if not t.retweet_of]
        kind = self.chance.random() if earlier else 1
        other = self.chance.choice(earlier) if kind < 0.4 else None
        shared = {t.retweet_of for t in self.base.said if t.author_id == author}
        if other and kind < 0.2 and at_ms < NOON_MS and other.tweet_id not in shared:
            return Tweet(
                tweet_id=tweet_id, author_id=author, created_ms=at_ms, conversation_id=tweet_id, retweet_of=other.tweet_id,
                retweet_of_author=other.author_id,
            )
        if other and kind >= 0.2:
            return Tweet(
                tweet_id=tweet_id, author_id=author, created_ms=at_ms, text="re", reply_to=other.tweet_id,
                reply_to_author=other.author_id, conversation_id=other.conversation_id,
            )
        return Tweet(tweet_id=tweet_id, author_id=author, created_ms=at_ms, text="computed", conversation_id=tweet_id)

    def hear(self):
        """What is computed by this turn is the model's too."""
        while self.unheard and self.unheard[0].created_ms < self.turns.now_ms():
            tweet = self.unheard.pop(0)
            if tweet.retweet_of:
                self.reference.retweet(tweet.tweet_id, tweet.author_id, tweet.retweet_of)
            else:
                self.reference.post(tweet.tweet_id, tweet.author_id, reply_to=tweet.reply_to)

    @property
    def twit(self):
        self.hear()
        return super().twit

    def a_moment_passes(self, seconds):
        self.clock.advance(seconds)
        self.hear()

    def time_passes(self, days):
        super().time_passes(days)
        self.hear()

    def leave(self, actor, says, drained, returns):
        if self.reference.here(actor):
            (user,) = self.wait(self.twit.stores.accounts.get((actor,)))
            self.wait(self.twit.stores.accounts.update(user, (), password_hash=WEAK))
        super().leave(actor, says, drained, returns)

    def act(self, may, coroutine):
        """The clock's step in it may begin a turn: the model hears what the world hears."""
        done = super().act(may, coroutine)
        self.hear()
        return done


@pytest.mark.parametrize("seed", range(6))
def test_a_long_walk_in_a_computed_world(seed):
    chance = random.Random(seed)
    machine = ComputedWorld(chance)
    try:
        machine.people_come()
        for _ in range(250):
            (move,) = chance.choices(list(MOVES), MOVES.values())
            if move == "a_moment_passes":
                machine.a_moment_passes(chance.choice((0.1, 1.1, 5, 20)))
            else:
                take(machine, move, chance)
        machine.after_a_drain_everything_is_the_models(2)
        machine.no_event_was_parked()
    finally:
        machine.close()
