"""kill -9 in mid-write, round after round: nothing acknowledged is lost, nothing is doubled, order and counts are right.

`TWIT_CRASH_ROUNDS` says how many rounds (`make crash`: 200), `TWIT_CRASH_SEED` which. A round kills whoever is at work: one
process that does everything, or one that answers people and one that consumes events; after some time, or when a chosen line
of a chosen file is about to run. What a power cut takes from a disk's own cache is not tested here: SIGKILL leaves the
kernel's pages in place.
"""

import asyncio
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from tests.crash.poster import LIMITS, PEOPLE, Orders, Said, Town, open_twit
from twit.core.clock import SystemClock
from twit.core.model import NewAccount, Relation
from twit.core.workers import GROUPS
from twit.ops.audit import CHECKS, Auditor
from twit.simulate.checkers.reference import Reference

ROUNDS = int(os.environ.get("TWIT_CRASH_ROUNDS", "20"))
SEED = int(os.environ.get("TWIT_CRASH_SEED", "5"))
ROOT = Path(__file__).parent.parent.parent
EVERYBODY = range(1, PEOPLE + 1)
ROUND_S = 0.8
RING = "core/stores/embedded/ring_rows.py"
WRITES = [  # where a row of the ring is half written between one line and the next
    *(f"{RING}:{name}" for name in ("_append", "_append", "_shift_in", "_insert_within", "write", "_merge", "_remove", "raise_floor")),
    *(f"core/stores/embedded/ring.py:{name}" for name in ("replace", "_fill_empty")), "core/stores/embedded/ring_slots.py:assign",
]  # fmt: skip
FILES = [
    f"core/{name}.py"
    for name in (
        "stores/embedded/ring_rows", "stores/embedded/ring", "stores/embedded/writer", "stores/embedded/transactions",
        "stores/embedded/work", "stores/embedded/tweets", "stores/embedded/carry", "consumer", "fanout", "carrier", "rows", "tweets",
    )
]  # fmt: skip


class Account:
    """What was said, kept in the naive model. `unsure` are acts that may or may not have been done, and never will be."""

    def __init__(self):
        self.model = Reference(LIMITS.retweet_dedupe_window)
        for person in EVERYBODY:
            self.model.sign_up(person)
        self.number = 0
        self.texts = {}  # tweet → text, of originals
        self.open = {}  # acts tried and not answered
        self.unsure = []
        self.newest = 0  # of the tweets of earlier rounds
        self.answered = self.refused = 0
        self.aims = Counter()

    def hear(self, said):
        """Take in one line."""
        assert not said.wrong, said.wrong
        if said.tried is not None:
            self.open[said.tried.number] = said.tried
            self.number = max(self.number, said.tried.number)
        elif said.answered >= 0:
            act = self.open.pop(said.answered)
            self.answered += 1
            if not said.refused:
                self.apply(act, said.result, again=said.again)
            else:
                self.refuse(act, again=said.again)
        elif said.aimed:
            self.aims[said.aimed.partition(":")[0]] += 1

    def refuse(self, act, *, again):
        """Right for what is not allowed, and for what is gone: of an act that is repeated nobody knows whether it was there then.

        A post under a key is another matter: had it been made, its repeat would have been answered with it.
        """
        self.refused += 1
        if act.verb == "follow":
            assert not self.model.may_follow(act.actor, act.of), f"{act} was refused"
        elif again and act.verb in {"delete", "unretweet", "unlike"}:
            self.apply(act, 0)  # there is nothing that could be taken back: it was
        elif act.verb == "delete":
            assert act.of in self.model.gone, f"{act} was refused"
        else:
            assert self.vanished(act), f"{act} was refused"
            if again and act.verb in {"like", "retweet"}:
                self.unsure.append(act)

    def vanished(self, act):
        """Whether its tweet is out of the actor's sight, or under an act that takes it away and was not answered."""
        if not self.model.may_answer(act.actor, act.of):
            return True
        deletes = {one.of for one in self.open.values() if one.verb == "delete"}
        undone = {self.model.retweet_by(one.actor, one.of) for one in self.open.values() if one.verb == "unretweet"}
        return not {act.of, self.model.original(act.of)}.isdisjoint(deletes | undone)

    def apply(self, act, result, *, again=False):
        model = self.model
        match act.verb:
            case "post":
                assert again or result > self.newest, f"{act} got {result}, below what was there before"
                assert result not in model.posts, f"{act} got {result}, which another has"
                reply, quote = (0, act.of) if act.quote else (act.of, 0)
                model.post(result, act.actor, reply_to=reply, quote_of=quote, mentions=[act.mentions] if act.mentions else [])
                self.texts[result] = act.text
            case "retweet":
                if result not in model.posts:
                    assert not model.retweet_by(act.actor, act.of), f"{act} made a second retweet"
                    model.retweet(result, act.actor, act.of)
            case "unretweet":
                model.unretweet(act.actor, act.of)
            case "delete":
                model.delete(act.of)
            case "like":
                model.like(act.actor, act.of)
            case "unlike":
                model.unlike(act.actor, act.of)
            case "follow":
                assert model.may_follow(act.actor, act.of), f"{act} was allowed"
                model.follow(act.actor, act.of, retweets=act.number % 5 != 0)
            case verb:
                getattr(model, verb)(act.actor, act.of)

    def orders(self, chance, *, acts=True, consumes=True, aim=""):
        """For the next process."""
        lines = round(10 ** chance.uniform(0, 2 if ":" in aim else 2.7)) if aim else 0
        model = self.model
        known = {one.tweet_id: one.author for one in reversed(model.newest()[:60]) if not one.retweet_of}
        self.newest = max(model.posts, default=0)
        again = list(self.open.values()) if acts else []
        return Orders(
            seed=chance.getrandbits(32), first=self.number, acts=acts, consumes=consumes, again=again, known=known,
            gone=sorted(model.gone)[-200:], aim=aim, lines=lines,
        )


class Victim:
    """A process that acts or consumes until it is killed."""

    def __init__(self, folder, account, orders):
        self.account, self.aimed = account, bool(orders.aim)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.poster", str(folder)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        self.process.stdin.write(msgspec.json.encode(orders) + b"\n")
        self.process.stdin.close()
        self.ready = threading.Event()
        self.failure = None
        self.listener = threading.Thread(target=self.listen)
        self.listener.start()

    def listen(self):
        for line in self.process.stdout:
            if line.endswith(b"\n"):
                said = msgspec.json.decode(line, type=Said)
                if said.ready:
                    self.ready.set()
                try:
                    self.account.hear(said)
                except AssertionError as error:
                    self.failure = self.failure or error
        self.ready.set()

    def kill(self, after_s):
        """Let it work for so long, kill it, and hear it out. An aimed one may be dead by then."""
        assert self.ready.wait(60)
        time.sleep(after_s)
        self.process.kill()
        assert self.process.wait(20) == -9, "it ended by itself"
        self.listener.join(20)
        self.process.stdout.close()
        if self.failure:
            raise self.failure


def round_of(folder, account, chance):
    """Somebody is at work, and is killed."""
    aim = chance.choice(("", chance.choice(FILES), chance.choice(WRITES), chance.choice(WRITES)))
    if chance.random() < 0.6:
        Victim(folder, account, account.orders(chance, aim=aim)).kill(chance.uniform(0.005, ROUND_S) + (aim != "") * ROUND_S)
        return 1
    at_consumer = chance.random() < 0.5
    victims = [
        Victim(folder, account, account.orders(chance, acts=acts, consumes=not acts, aim=aim if acts is not at_consumer else ""))
        for acts in (True, False)
    ]
    chance.shuffle(victims)
    for victim in victims:
        victim.kill(chance.uniform(0.005, ROUND_S))
    return 2


async def prepare(folder):
    twit = await open_twit(folder)
    people = [
        NewAccount(username=f"person{n}", email=f"person{n}@example.org", password_hash="", display_name="", created_ms=0)
        for n in EVERYBODY
    ]
    await twit.accounts.add(people)
    await twit.stores.health.close()


class Verifier:
    """Holds the stores, after catching up, against what was said."""

    def __init__(self, twit, account):
        self.twit, self.stores, self.account, self.model = twit, twit.stores, account, account.model

    async def look_at_rows(self):
        """Right after a kill, before new entries push out what it tore: once caught up, every row is what it should be."""
        await self.twit.workers.drain()
        await self.audit("timelines")

    async def verify(self, pages):
        await Town(self.twit, Orders(), self.account.hear).repeat(list(self.account.open.values()))
        await self.twit.workers.drain()
        await self.settle_unsure()
        own = {person: await self.own(person) for person in EVERYBODY}
        for person, tweets in own.items():
            self.tweets_of(person, tweets)
        await self.people()
        await self.counts([tweet.tweet_id for tweets in own.values() for tweet in tweets])
        await self.homes(pages)
        await self.deliveries()
        for check in CHECKS:
            assert (await self.audit(check)).looked_at == PEOPLE
        return sum(map(len, own.values()))

    async def own(self, person):
        found, before = [], 0
        while True:
            [entries] = await self.stores.tweets.by_authors([person], before=before, limit=1_000)
            if not len(entries):
                return found
            found += await self.stores.tweets.get(entries[:, 0].tolist())
            before = found[-1].tweet_id

    async def settle_unsure(self):
        """What could not be repeated (its tweet is gone since) may stand or not: either is right. Take it as it is."""
        while self.account.unsure:
            act = self.account.unsure.pop()
            original = self.model.original(act.of)
            if act.verb == "retweet":
                (made,) = await self.stores.tweets.retweet_ids(act.actor, [original])
            else:
                (made,) = await self.stores.engagement.liked(act.actor, [original])
            if made:
                self.account.apply(act, made, again=True)

    def tweets_of(self, person, tweets):
        expected = [post for post in self.model.newest() if post.author == person]
        said = [post.tweet_id for post in expected]
        stored = [tweet.tweet_id for tweet in tweets]
        assert not set(said) - set(stored), f"lost: {sorted(set(said) - set(stored))} of {person}"
        assert not set(stored) - set(said), f"{person} has more than was answered: {sorted(set(stored) - set(said))}"
        texts = [tweet.text for tweet in tweets if not tweet.retweet_of]
        assert len(texts) == len(set(texts)), f"doubled: {[text for text, many in Counter(texts).items() if many > 1]}"
        retweeted = [tweet.retweet_of for tweet in tweets if tweet.retweet_of]
        assert len(retweeted) == len(set(retweeted)), "retweeted twice"
        numbers = [int(text.split()[0].split(".")[1]) for text in texts]
        assert numbers == sorted(numbers, reverse=True), f"out of order: {person}"
        assert texts == [self.account.texts[post.tweet_id] for post in expected if not post.retweet_of]

    async def people(self):
        model = self.model
        for person in EVERYBODY:
            (following,) = await self.stores.graph.following([person])
            followees = {followee for follower, followee in model.follows if follower == person}
            assert set(following.followees) == followees
            assert len(following.followees) == len(followees)
            assert following.unmerged == ()
            followers, _ = await self.stores.graph.followers(person, 0, 100)
            assert sorted(followers.tolist()) == sorted(f for f, followee in model.follows if followee == person)
            (counts,) = await self.stores.accounts.counts([person])
            assert (counts.followers, counts.following, counts.tweets) == model.user_counts(person)
            (blocks,) = await self.stores.relations.blocks([person])
            assert blocks.blocked == {target for actor, target in model.blocks if actor == person}
            assert blocks.muted == {target for actor, target in model.mutes if actor == person}
            assert not await self.stores.relations.related_page(Relation.BLOCK, person, 1, 10)

    async def counts(self, tweets):
        standing = self.model.newest()
        likes = Counter(tweet for _, tweet in self.model.likes)
        kinds = [Counter(getattr(post, kind) for post in standing) for kind in ("retweet_of", "reply_to", "quote_of")]
        counted = await self.stores.engagement.counts(tweets)
        assert [(c.likes, c.retweets, c.replies, c.quotes) for c in counted] == [
            (likes[tweet], *(kind[tweet] for kind in kinds)) for tweet in tweets
        ]
        assert await self.stores.engagement.recount(tweets) == counted

    async def homes(self, pages):
        for reader in EVERYBODY:
            ids, cursor = [], ""
            for _ in range(pages):
                page = (await self.twit.home_timeline(reader, cursor, 200)).page
                ids += [tweet.tweet_id for tweet in page.tweets]
                cursor = page.next_cursor
                if not page.has_more:
                    break
            expected = self.model.home(reader)
            assert ids == (expected[: len(ids)] if cursor else expected), f"home of {reader}"

    async def deliveries(self):
        """Rule 15: every tweet has a whole account, and every account adds up."""
        tweets = list(self.model.posts)
        for tweet, batches in zip(tweets, await self.stores.work.deliveries(tweets), strict=True):
            assert [one.batch for one in batches] == list(range(len(batches))), f"{tweet}: {batches}"
            assert [one.last for one in batches] == [False] * (len(batches) - 1) + [True], f"{tweet}: {batches}"
            for one in batches:
                pushed = one.stored + one.duplicate + one.older_than_tail + one.skipped + one.filtered
                assert one.attempted == pushed + one.pulled, one
                assert not (one.pulled and pushed), one
        for lag in await self.stores.log.lag(GROUPS, SystemClock().now_ms()):
            assert (lag.events, lag.work, lag.lag_ms, lag.parked) == (0, 0, 0, 0), lag

    async def audit(self, check):
        found = await Auditor(self.stores, LIMITS, SystemClock(), Silent(), share=1.0, seed=1, wait_ms=0).check(check)
        assert not found.differences, found.differences[:5]
        return found


class Silent:
    def progress(self, progress):
        pass


async def verified(folder, account, pages):
    """Open what the dead left, and verify it: only the rows where `pages` is 0."""
    twit = await open_twit(folder)
    try:
        verifier = Verifier(twit, account)
        return await (verifier.verify(pages) if pages else verifier.look_at_rows())
    finally:
        await twit.stores.health.close()


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_nothing_acknowledged_is_lost_and_nothing_doubled(tmp_path):
    asyncio.run(prepare(tmp_path))
    chance, account, kills, stored = random.Random(SEED), Account(), 0, 0
    began = time.monotonic()
    for number in range(1, ROUNDS + 1):
        kills += round_of(tmp_path, account, chance)
        pages = 1_000 if number == ROUNDS else 4 if number % 10 == 0 else 0
        stored = asyncio.run(verified(tmp_path, account, pages))
    aimed = sum(account.aims.values())
    print(
        f"{ROUNDS} rounds, {kills} kills ({aimed} at a chosen line of {len(account.aims)} files), seed {SEED}: "
        f"{account.answered} acts acknowledged, {len(account.model.posts)} tweets made, {stored} standing: "
        f"0 lost, 0 doubled, order kept, counts, homes, deliveries and audits right; {time.monotonic() - began:.0f} s"
    )
    assert account.answered > 5 * ROUNDS
    assert aimed > ROUNDS // 10
