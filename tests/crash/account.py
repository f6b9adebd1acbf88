"""What was said and what must stand: the acts that were acknowledged, kept in the naive model, and the stores held against it.

Serves every crash test, whatever the stores lie on and whoever acts. Never talks to anybody but stores and the service over them.
"""

from collections import Counter, defaultdict

from tests.crash.poster import LIMITS, PEOPLE, Orders, Town
from twit.core.clock import SystemClock
from twit.core.model import NewAccount, Relation
from twit.core.workers import GROUPS
from twit.ops.audit import CHECKS, Auditor
from twit.simulate.checkers.reference import Reference

EVERYBODY = range(1, PEOPLE + 1)


def everybody():
    """The people that there are."""
    return [
        NewAccount(username=f"person{n}", email=f"person{n}@example.org", password_hash="", display_name="", created_ms=0)
        for n in EVERYBODY
    ]


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
        self.told = defaultdict(list)  # tweet → what was answered to acts on it

    def about(self, tweets):
        """What is known of tweets that are not as they must be."""
        return "; ".join(
            f"{tweet}: {self.told[getattr(tweet, 'tweet_id', tweet)]}, of what it repeats {self.told[getattr(tweet, 'retweet_of', 0)]}"
            for tweet in tweets
        )

    def hear(self, said):
        """Take in one line."""
        assert not said.wrong, said.wrong
        if said.tried is not None:
            self.open[said.tried.number] = said.tried
            self.number = max(self.number, said.tried.number)
        elif said.answered >= 0:
            act = self.open.pop(said.answered)
            self.answered += 1
            for tweet in {said.result, act.of} - {0}:
                self.told[tweet].append((act.number, act.verb, act.actor, "refused" if said.refused else said.result, said.again))
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


class Verifier:
    """Holds the stores, after catching up, against what was said."""

    limits, wait_ms = LIMITS, 0

    def __init__(self, twit, account):
        self.twit, self.stores, self.account, self.model = twit, twit.stores, account, account.model

    async def settle(self):
        """Come back when every event has been handled."""
        await self.twit.workers.drain()

    async def look_at_rows(self):
        """Right after a kill, before new entries push out what it tore: once caught up, every row is what it should be."""
        await self.settle()
        await self.audit("timelines")

    async def verify(self, pages):
        await Town(self.twit, Orders(), self.account.hear).repeat(list(self.account.open.values()))
        await self.settle()
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
                made = next((one.tweet_id for one in await self.own(act.actor) if one.retweet_of == original), 0)
            else:
                (made,) = await self.stores.engagement.liked(act.actor, [original])
            if made:
                self.account.apply(act, made, again=True)

    def tweets_of(self, person, tweets):
        expected = [post for post in self.model.newest() if post.author == person]
        said = [post.tweet_id for post in expected]
        stored = [tweet.tweet_id for tweet in tweets]
        lost, more = sorted(set(said) - set(stored)), [tweet for tweet in tweets if tweet.tweet_id not in said]
        assert not lost, f"lost of {person}: {self.account.about(lost)}"
        twins = [tweet.tweet_id for tweet in tweets if tweet.retweet_of in {one.retweet_of for one in more} - {0}]
        assert not more, f"{person} has more than was answered: {self.account.about(more)}; retweets of the same: {twins}"
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
        auditor = Auditor(self.stores, self.limits, SystemClock(), Silent(), share=1.0, seed=1, wait_ms=self.wait_ms)
        found = await auditor.check(check)
        assert not found.differences, found.differences[:5]
        return found


class Silent:
    def progress(self, progress):
        pass
