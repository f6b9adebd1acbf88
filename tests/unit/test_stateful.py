"""The whole core against the naive model, over random sequences of everything people and machines do.

Two services over the same stores take turns, as two processes would. At any moment nobody sees what he must not see, and
everybody sees his own; once the consumers have caught up, every home timeline, user timeline and count is the model's.
Bounds are so small that every one of them is met: threshold, exit, row length, merge, window, scan, batches.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from argon2 import PasswordHasher
from builders import NOON_MS, PASSWORD, build_twit, home
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from twit.core.clock import ManualClock
from twit.core.errors import NotFound, Refused, StoreDown
from twit.core.limits import DAY_MS
from twit.core.model import NewAccount
from twit.simulate.checkers.reference import Reference

PEOPLE = 6
LIMITS = {
    "celebrity_followers_min": 3,
    "celebrity_followers_exit": 2,
    "timeline_entries_max": 8,
    "backfill_entries_max": 8,
    "merge_on_follow_max": 4,
    "retweet_dedupe_window": 3,
    "scan_max": 50,
    "fanout_batch": 2,
    "event_batch": 5,
    "follower_chunk": 2,
    "celebrity_list_entries": 3,
    "cached_tweets_max": 24,
    "cached_viewers_max": 4,
    "cached_users_max": 4,
}
WEAK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)

person = st.integers(1, PEOPLE)
recent = st.integers(0, 30)  # counted back from the newest tweet
page_size = st.sampled_from((1, 2, 3, 5, 50))
yes_no = st.booleans()


class Died(BaseException):
    """A worker, between doing and recording."""


class Service(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp(prefix="twit-"))
        self.clock = ManualClock(NOON_MS)
        self.reference = Reference(LIMITS["retweet_dedupe_window"])
        self.left_ms: dict[int, int] = {}
        self.turn = 0
        self.settled = True
        self.services = [self.wait(build_twit(self.folder, self.clock, **LIMITS)) for _ in range(2)]

    def teardown(self):
        for twit in self.services:
            self.wait(twit.stores.health.close())
        self.loop.close()
        shutil.rmtree(self.folder)

    def wait(self, coroutine):
        return self.loop.run_until_complete(coroutine)

    @property
    def twit(self):
        """The services answer in turns, so that each must learn what the other did."""
        self.turn += 1
        return self.services[self.turn % len(self.services)]

    def act(self, may, coroutine):
        """Do it, and hold whether it was allowed against the model; returns what it gave, `None` where refused."""
        self.clock.advance(0.001)
        try:
            done = self.wait(coroutine)
        except Refused as refused:
            assert not may, f"refused: {refused!r}"
            return None
        assert may, "allowed"
        self.settled = False
        return done

    def pick(self, back):
        posts = sorted(self.reference.posts)
        return posts[-1 - back % len(posts)]

    @initialize()
    def people_come(self):
        accounts = [
            NewAccount(username=f"u{n}", email=f"u{n}@example.com", password_hash=WEAK, display_name="", created_ms=NOON_MS)
            for n in range(1, PEOPLE + 1)
        ]
        assert [user.user_id for user in self.wait(self.twit.accounts.add(accounts))] == list(range(1, PEOPLE + 1))
        for user in range(1, PEOPLE + 1):
            self.reference.sign_up(user)

    # people
    @rule(actor=person, other=person, retweets=yes_no)
    def follow(self, actor, other, retweets):
        may = self.reference.here(actor) and self.reference.may_follow(actor, other)
        if self.act(may, self.twit.follow(actor, other, retweets=retweets)):
            self.reference.follow(actor, other, retweets=retweets)

    @rule(other=person, followers=st.sets(person, min_size=4))
    def many_follow(self, other, followers):
        for follower in sorted(followers - {other}):
            self.follow(follower, other, retweets=True)

    @rule(other=person)
    def many_unfollow(self, other):
        for follower in range(1, PEOPLE):
            self.unfollow(follower, other)

    @rule(actor=person, other=person)
    def unfollow(self, actor, other):
        if self.act(self.here(actor, other), self.twit.unfollow(actor, other)) is not None:
            self.reference.unfollow(actor, other)

    @rule(actor=person, other=person)
    def block(self, actor, other):
        may = self.here(actor, other) and self.reference.here(other)
        if self.act(may, self.twit.block(actor, other)) is not None:
            self.reference.block(actor, other)

    @rule(actor=person, other=person)
    def unblock(self, actor, other):
        if self.act(self.here(actor, other), self.twit.unblock(actor, other)) is not None:
            self.reference.unblock(actor, other)

    @rule(actor=person, other=person, on=yes_no)
    def mute(self, actor, other, on):
        may = self.here(actor, other) and (not on or self.reference.here(other))
        if self.act(may, (self.twit.mute if on else self.twit.unmute)(actor, other)) is not None:
            (self.reference.mute if on else self.reference.unmute)(actor, other)

    @rule(actor=person, private=yes_no)
    def set_private(self, actor, private):
        if self.act(self.reference.here(actor), self.twit.update_profile(actor, {"is_private": private})):
            self.reference.set_private(actor, private=private)

    @precondition(lambda self: self.reference.requests)
    @rule(which=recent, accepted=yes_no)
    def answer_request(self, which, accepted):
        requester, other = sorted(self.reference.requests)[which % len(self.reference.requests)]
        request = self.wait(self.twit.stores.relations.request_between(requester, other))
        answer = self.twit.accept_request if accepted else self.twit.reject_request
        if self.act(self.reference.here(other), answer(other, request.request_id)) is not None:
            (self.reference.accept if accepted else self.reference.reject)(other, requester)

    @rule(actor=person)
    def deactivate(self, actor):
        if self.reference.here(actor):
            self.act(True, self.twit.deactivate(actor))
            self.reference.deactivate(actor)
            self.left_ms[actor] = self.clock.now_ms()

    @rule(actor=person)
    def log_in(self, actor):
        in_time = self.clock.now_ms() + 1 - self.left_ms.get(actor, self.clock.now_ms()) <= 30 * DAY_MS
        if self.act(in_time and not self.erased(actor), self.twit.log_in(f"u{actor}", PASSWORD)):
            self.reference.reactivate(actor)
            self.left_ms.pop(actor, None)

    @rule()
    def the_expired_are_deleted(self):
        self.drain()
        expired = {user for user, left in self.left_ms.items() if self.clock.now_ms() + 1 - left > 30 * DAY_MS}
        expired = {user for user in expired if not self.erased(user)}
        assert self.act(True, self.twit.accounts.delete_expired()) == len(expired)
        for user in expired:
            self.reference.erase(user)
            self.left_ms[user] = 0

    # tweets
    @rule(author=person, mentioned=st.sets(person, max_size=2))
    def post(self, author, mentioned):
        text = " ".join(["hello", *(f"@u{user}" for user in sorted(mentioned))])
        if tweet := self.act(self.reference.here(author), self.twit.post(author, text)):
            self.reference.post(tweet.tweet_id, author, mentions=mentioned)

    @rule(author=person, count=st.integers(2, 9))
    def post_many(self, author, count):
        for _ in range(count):
            self.post(author, set())

    @precondition(lambda self: self.reference.posts)
    @rule(author=person, which=recent)
    def reply(self, author, which):
        parent = self.pick(which)
        may = self.reference.here(author) and self.reference.may_answer(author, parent)
        if tweet := self.act(may, self.twit.post(author, "re", reply_to=parent)):
            self.reference.post(tweet.tweet_id, author, reply_to=parent)

    @precondition(lambda self: self.reference.posts)
    @rule(author=person, which=recent)
    def quote(self, author, which):
        quoted = self.pick(which)
        may = self.reference.here(author) and self.reference.may_share(author, quoted)
        if tweet := self.act(may, self.twit.post(author, "look", quote_of=quoted)):
            self.reference.post(tweet.tweet_id, author, quote_of=quoted)

    @precondition(lambda self: self.reference.posts)
    @rule(author=person, which=recent)
    def retweet(self, author, which):
        original = self.pick(which)
        standing = self.reference.retweet_by(author, original)
        may = self.reference.here(author) and self.reference.may_share(author, original)
        if tweet := self.act(may, self.twit.retweet(author, original)):
            assert standing in (0, tweet.tweet_id)
            self.reference.retweet(tweet.tweet_id, author, original)

    @precondition(lambda self: self.reference.posts)
    @rule(author=person, which=recent)
    def unretweet(self, author, which):
        original = self.pick(which)
        stands = self.reference.retweet_by(author, original) > 0
        may = self.reference.here(author) and (stands or self.reference.may_answer(author, original))
        if (undone := self.act(may, self.twit.unretweet(author, original))) is not None:
            assert undone == stands
            self.reference.unretweet(author, original)

    @precondition(lambda self: self.reference.posts)
    @rule(which=recent, by_author=st.sampled_from((True, True, True, False)), other=person)
    def delete(self, which, by_author, other):
        tweet_id = self.pick(which)
        actor = self.reference.author(tweet_id) if by_author else other
        own = self.reference.author(tweet_id) == actor and tweet_id not in self.reference.gone
        may = self.reference.here(actor) and own
        self.act(may, self.twit.delete(actor, tweet_id))
        if may:
            self.reference.delete(tweet_id)

    @precondition(lambda self: self.reference.posts)
    @rule(actor=person, which=recent, on=yes_no)
    def like(self, actor, which, on):
        tweet_id = self.pick(which)
        stood = (actor, self.reference.original(tweet_id)) in self.reference.likes
        may = self.reference.here(actor) and ((stood and not on) or self.reference.may_answer(actor, tweet_id))
        if (moved := self.act(may, (self.twit.like if on else self.twit.unlike)(actor, tweet_id))) is not None:
            assert moved == (stood != on)
            (self.reference.like if on else self.reference.unlike)(actor, tweet_id)

    # machines
    @rule(seconds=st.sampled_from((1, 3_600, 86_400, 7 * 86_400 + 1)))
    def time_passes(self, seconds):
        self.clock.advance(seconds)

    @rule(readers=st.sets(person))
    def timelines_are_lost(self, readers):
        self.wait(self.twit.stores.timelines.drop(sorted(readers)))

    @rule()
    def drain(self):
        assert self.wait(self.twit.workers.drain())
        self.settled = True

    @rule(group=st.sampled_from(("social", "fanout")), steps=st.integers(1, 4), dies=yes_no)
    def a_worker_comes_and_goes(self, group, steps, dies):
        self.wait(self.work(self.twit, group, steps, dies=dies))

    async def work(self, twit, group, steps, *, dies):
        """Some steps of one consumer; where it `dies`, the last one is done but not recorded."""
        consumer = twit.workers._consumers[group]
        advance = twit.stores.work.advance

        async def dead(progress):
            raise Died

        await consumer.open()
        try:
            for step in range(steps):
                if dies and step == steps - 1:
                    twit.stores.work.advance = dead
                if not await consumer.step():
                    return
        except Died:
            return
        finally:
            twit.stores.work.advance = advance

    @rule(author=person)
    def the_cache_fails_while_posting(self, author):
        twit = self.twit
        push = twit.stores.timelines.push

        async def down(*args):
            raise StoreDown("away")

        twit.stores.timelines.push = down
        try:
            tweet = self.act(self.reference.here(author), twit.post(author, "alone"))
        finally:
            twit.stores.timelines.push = push
        if tweet:
            self.reference.post(tweet.tweet_id, author)
            self.drain()  # its author sees it late: rule 2 holds by the row, which is away

    # what must hold
    @rule(reader=person, size=page_size)
    def nobody_sees_what_he_must_not_and_everybody_sees_his_own(self, reader, size):
        if not self.reference.here(reader):
            return
        shown = self.wait(home(self.twit, reader, size))
        assert shown == sorted(set(shown), reverse=True)
        model = self.reference
        for tweet_id in shown:
            post = model.posts[tweet_id]
            assert post.author == reader or (reader, post.author) in model.follows
            assert model.at_home(reader, post), f"{post} shown to {reader}"
        own = {p.tweet_id for p in model.newest() if p.author == reader and not p.retweet_of}
        assert own <= set(shown)

    @rule(size=page_size)
    def after_a_drain_everything_is_the_models(self, size):
        self.drain()
        for user in range(1, PEOPLE + 1):
            self.check_home(user, size)
        for user in range(1, PEOPLE + 1):
            self.check_user_timeline(1 + self.turn % PEOPLE, user, size)
        self.check_counts()

    @invariant()
    def no_event_was_parked(self):
        assert not self.wait(self.services[0].stores.work.parked(None, 0, 10))

    def check_home(self, reader, size):
        if self.reference.here(reader):
            assert self.wait(home(self.twit, reader, size)) == self.reference.home(reader), f"home of {reader}"

    def check_user_timeline(self, viewer, user, size):
        if self.reference.here(viewer):
            shown = self.wait(self.user_timeline(viewer, user, size))
            assert shown == self.reference.user_timeline(viewer, user), f"{user} seen by {viewer}"

    def check_counts(self):
        tweets = [post.tweet_id for post in self.reference.newest() if not post.retweet_of]
        counted = self.wait(self.twit.stores.engagement.counts(tweets))
        assert [(c.likes, c.retweets, c.replies, c.quotes) for c in counted] == list(map(self.reference.tweet_counts, tweets))
        users = range(1, PEOPLE + 1)
        counts = self.wait(self.twit.user_counts(users))
        assert [(c.followers, c.following, c.tweets) for c in counts] == list(map(self.reference.user_counts, users))

    async def user_timeline(self, viewer, user, size):
        ids, cursor = [], ""
        while True:
            try:
                page = await self.twit.user_timeline(viewer, user, cursor, size)
            except NotFound:
                assert not self.reference.sees_author(viewer, user)
                return []
            ids += [tweet.tweet_id for tweet in page.tweets]
            cursor = page.next_cursor
            if not page.has_more:
                return ids

    def here(self, actor, other):
        return self.reference.here(actor) and actor != other and not self.erased(other)

    def erased(self, user):
        return self.left_ms.get(user) == 0


TestService = Service.TestCase
TestService.settings = settings(
    max_examples=30, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
