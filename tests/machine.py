"""A machine that does to the whole core and to the naive model what people and machines do, and holds one against the other.

Two services over the same stores take turns, as two processes would. At any moment nobody sees what he must not see, and
everybody sees his own; once the consumers have caught up, every home timeline, user timeline and count is the model's.
Bounds are so small that every one of them is met: threshold, exit, row length, merge, window, scan, batches.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from argon2 import PasswordHasher
from away import away
from builders import NOON_MS, PASSWORD, build_twit, home
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from twit.core.clock import ManualClock
from twit.core.errors import NotFound, Refused, StoreDown
from twit.core.limits import DAY_MS
from twit.core.model import NewAccount
from twit.simulate.checkers.reference import Reference

PEOPLE = 5
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
mentions = st.one_of(st.just(frozenset()), st.frozensets(person, min_size=1, max_size=2))


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
        self.erased: set[int] = set()
        self.turn = 0
        self.services = []
        self.services = [self.wait(self.open_service()) for _ in range(2)]

    async def open_service(self):
        return await build_twit(self.folder, self.clock, **LIMITS)

    def teardown(self):
        try:
            if sys.exc_info()[0] is None:
                self.after_a_drain_everything_is_the_models(50)
        finally:
            self.close()

    def close(self):
        services, self.services = self.services, []
        for twit in services:
            self.wait(twit.stores.health.close())
        self.loop.close()
        shutil.rmtree(self.folder)

    def wait(self, coroutine):
        """Run it; then every service has heard of it, in worlds where that takes its time too."""
        try:
            return self.loop.run_until_complete(coroutine)
        finally:
            for service in self.services:
                self.loop.run_until_complete(service.stores.log.caught_up())

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
        return done

    def pick(self, back):
        posts = sorted(self.reference.posts)
        return posts[-1 - back % len(posts)]

    @initialize(follows=st.sets(st.tuples(person, person)), famous=st.sets(person, max_size=2), authors=st.lists(person, max_size=12))
    def people_come(self, follows, famous, authors):
        accounts = [
            NewAccount(username=f"u{n}", email=f"u{n}@example.com", password_hash=WEAK, display_name="", created_ms=NOON_MS)
            for n in range(1, PEOPLE + 1)
        ]
        assert [user.user_id for user in self.wait(self.twit.accounts.add(accounts))] == list(range(1, PEOPLE + 1))
        for user in range(1, PEOPLE + 1):
            self.reference.sign_up(user)
        everybody = {(follower, followee) for follower in range(1, PEOPLE + 1) for followee in famous}
        for follower, followee in sorted(follows | everybody):
            self.follow(follower, followee, retweets=True)
        for author in authors:
            self.post(author)
        self.drain()

    # people
    @rule(actor=person, other=person, retweets=yes_no)
    def follow(self, actor, other, retweets):
        may = self.reference.here(actor) and self.reference.may_follow(actor, other)
        if self.act(may, self.twit.follow(actor, other, retweets=retweets)):
            new = (actor, other) not in self.reference.follows
            self.reference.follow(actor, other, retweets=retweets)
            if new and (actor, other) in self.reference.follows:
                self.check_shown_at_once(actor, other)

    @rule(author=person, loyal=person, rises=yes_no, drained=yes_no, tweets=st.integers(0, 9))
    def fame_comes_or_goes(self, author, loyal, rises, drained, tweets):
        for fan in set(range(1, PEOPLE + 1)) - ({author} if rises else {author, loyal}):
            if rises:
                self.follow(fan, author, retweets=True)
            else:
                self.unfollow(fan, author)
        if drained:
            self.drain()
        self.post(author, tweets)

    @rule(actor=person, other=person)
    def unfollow(self, actor, other):
        if self.act(self.here(actor, other), self.twit.unfollow(actor, other)) is not None:
            self.reference.unfollow(actor, other)

    @rule(actor=person, other=person, verb=st.sampled_from(("block", "block", "unblock", "mute", "unmute")))
    def relate(self, actor, other, verb):
        may = self.here(actor, other) and (verb.startswith("un") or self.reference.here(other))
        if self.act(may, getattr(self.twit, verb)(actor, other)) is not None:
            getattr(self.reference, verb)(actor, other)

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

    @rule(actor=person, says=yes_no, drained=yes_no, returns=st.sampled_from((True, True, True, False)))
    def leave(self, actor, says, drained, returns):
        if says:
            self.post(actor)
        if self.reference.here(actor):
            self.act(True, self.twit.deactivate(actor))
            self.reference.deactivate(actor)
            self.left_ms[actor] = self.clock.now_ms()
        if drained:
            self.drain()
        if returns:
            self.log_in(actor)

    def log_in(self, actor):
        if self.act(not self.overdue(actor), self.twit.log_in(f"u{actor}", PASSWORD)):
            self.reference.reactivate(actor)
            self.left_ms.pop(actor, None)

    def the_expired_are_deleted(self):
        self.drain()
        expired = {user for user in self.left_ms if self.overdue(user)} - self.erased
        assert self.act(True, self.twit.accounts.delete_expired()) == len(expired)
        for user in sorted(expired):
            self.reference.erase(user)
        self.erased |= expired

    # tweets
    @rule(author=person, count=st.sampled_from((1, 1, 2, 5, 9)), mentioned=mentions)
    def post(self, author, count=1, mentioned=frozenset()):
        text = " ".join(["hello", *(f"@u{user}" for user in sorted(mentioned))])
        for _ in range(count):
            if tweet := self.act(self.reference.here(author), self.twit.post(author, text)):
                self.reference.post(tweet.tweet_id, author, mentions=mentioned)

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
    @rule(author=person, which=recent, undo=st.sampled_from((False, False, True)))
    def retweet(self, author, which, undo):
        original = self.pick(which)
        standing = self.reference.retweet_by(author, original)
        here, model = self.reference.here(author), self.reference
        if undo:
            may = here and (standing > 0 or model.may_answer(author, original))
            if (undone := self.act(may, self.twit.unretweet(author, original))) is not None:
                assert undone == (standing > 0)
                model.unretweet(author, original)
        elif tweet := self.act(here and model.may_share(author, original), self.twit.retweet(author, original)):
            assert standing in (0, tweet.tweet_id)
            model.retweet(tweet.tweet_id, author, original)

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
    @rule(days=st.sampled_from((0.1, 0.1, 1, 7.1, 7.1, 7.1, 31)))
    def time_passes(self, days):
        self.clock.advance(days * 86_400)
        if days > 30:
            self.the_expired_are_deleted()

    @rule(readers=st.sets(person))
    def timelines_are_lost(self, readers):
        self.wait(self.twit.stores.timelines.drop(sorted(readers)))

    def drain(self):
        assert self.wait(self.twit.workers.drain())

    @rule(group=st.sampled_from(("social", "fanout")), steps=st.integers(1, 4), dies=yes_no)
    def a_worker_comes_and_goes(self, group, steps, dies):
        self.wait(self.work(self.twit, group, steps, dies=dies))

    async def work(self, twit, group, steps, *, dies):
        """Some steps of one consumer; where it `dies`, the last one is done but not recorded."""
        consumer = twit.workers.consumer(group, steps % len(twit.stores.lanes(group)))
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

    @rule(reader=person, size=page_size, after=st.integers(0, 4))
    def the_cache_is_away(self, reader, size, after):
        self.drain()
        with away(self.twit.stores.timelines, after=after):
            self.check_home(reader, size)

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

    def check_shown_at_once(self, reader, author):
        """Before any worker has run, a follow shows what the followee has said."""
        shown = set(self.wait(home(self.twit, reader)))
        said = [p for p in self.reference.newest() if p.author == author and not p.retweet_of]
        assert {p.tweet_id for p in said if self.reference.at_home(reader, p)} <= shown

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
        return self.reference.here(actor) and actor != other and other not in self.erased

    def overdue(self, user):
        """Deactivated for longer than one can come back from, by the time of the next act."""
        return self.clock.now_ms() + 1 - self.left_ms.get(user, self.clock.now_ms()) > 30 * DAY_MS

