"""What happens in a run, as more calls, lost shards and cold rows, window by window.

Each happening is asked once a minute, in order, and answers for that minute alone; its draws are keyed. It reads the state of
the tiers (who is cold, how long a rebuild waits) and changes none of it but the cold rows that it is about.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from ...core.routing import Kept, route
from ..day.load import scaled
from ..day.rule import Lists
from ..kinds import Kind, Tier
from ..queues.chance import key_of
from ..queues.cold import charged, evenly, lose, warm
from ..queues.model import Floats, Ints, State
from .loads import MINUTE_S, WINDOW_US, WRITES_A_REBUILD, Extra, Lost, RunLoads
from .scenario import Delivery, Event, Happening, Rule

CLASSES = 6  # of people, by how often they read
REFRESH_EVERY_S = 2.0  # assumed: who waits for a page pulls again this often, and without a lock each pull builds anew


@dataclass(slots=True)
class Effect:
    """Of one minute: more calls, a factor by window on everything people do, shards that are down [shard, 2], and those that
    others stand in for."""

    factor: Floats
    extras: list[Extra] = field(default_factory=list)
    down: dict[Tier, Floats] = field(default_factory=dict)
    lost: dict[Tier, Lost] = field(default_factory=dict)
    rebuilds: int = 0  # rows built
    begun: Ints | None = None  # [class, shard, window] rebuilds for the first time, each of a row
    cold_reads: int = 0  # reads that found none
    opened: int = 0  # reads beyond the day's
    likes: int = 0  # on the tweet of a post


class Classes:
    """People by how often they read: how many there are with a cached timeline, and reads a second of one of them."""

    def __init__(self, residents: Ints, reads_per_s: Floats, followees: Floats) -> None:
        self.residents, self.reads_per_s, self.followees = residents, reads_per_s, followees

    def on_shards(self, shards: int) -> Ints:
        """[class, shard] residents, dealt evenly."""
        parts = np.tile((self.residents // shards)[:, None], shards)
        for c, rest in enumerate(self.residents % shards):
            parts[c, :rest] += 1
        return parts

    def seen_a_day(self, readers: int) -> Floats:
        """[class] share who read on a day, so that they are `readers` together."""
        share = -np.expm1(-self.reads_per_s * 86_400)
        seen: Floats = share * readers / max(1.0, float((self.residents * share).sum()))
        return seen


class Happenings:
    """The events of a scenario, played minute by minute."""

    def __init__(self, events: tuple[Event, ...], rule: Rule, loads: RunLoads, people: Classes, seed: int) -> None:
        self._events, self._rule, self._loads, self._people, self._seed = events, rule, loads, people, seed
        self._edges_us = np.arange(loads.windows + 1) * WINDOW_US
        self._back = np.zeros_like(people.reads_per_s)  # of those who come back at once, [class] a second

    @property
    def last_s(self) -> float:
        """When the last of them is over by itself."""
        return max((event.at_s + self._lasts(event) for event in self._events), default=0.0)

    def _lasts(self, event: Event) -> float:
        """Seconds after which nine tenths of what it brings at once have come."""
        if event.kind is Happening.POST:
            return 3.3 * event["open_half"]
        if event.kind is Happening.REFRESH:
            return max(event["within"], self._rule.jitter_s)
        return event["failover" if event.kind is Happening.NODE_LOSS else "lasts"]

    def minute(self, minute: int, state: dict[Tier, State], waits_s: float) -> Effect:
        """What this minute brings. `waits_s`: how long a rebuild took in the last one."""
        effect = Effect(np.ones(self._loads.windows))
        start = float(minute * MINUTE_S)
        self._back = np.zeros_like(self._people.reads_per_s)
        for event in self._events:
            if event.at_s < start + MINUTE_S:
                ACTS[event.kind](self, event, start, state, effect)
        pace = self._people.reads_per_s * self._loads.pace(minute) * effect.factor.mean() + self._back
        self._return(state, pace, waits_s, effect)
        return effect

    def _edges(self, start: float) -> Floats:
        return start + self._edges_us / 1e6

    def _post(self, event: Event, start: float, _: dict[Tier, State], effect: Effect) -> None:
        """The opens that follow the notice, all of one tweet; and, later, what those who open do."""
        opens = self.opens(event)
        by_window = self._so_far(opens, event["open_half"], event, start)
        effect.opened += int(by_window.sum())
        effect.extras += self._loads.reads(by_window, f"{event.name} opens {start}")
        effect.extras += self._hot(event, by_window)
        acting = self._so_far(opens, event["react_half"], event, start)
        effect.likes += int(scaled(acting, event["like_share"]).sum())
        effect.extras += self._reactions(event, acting, start)

    def _so_far(self, people: float, half_s: float, event: Event, start: float) -> Ints:
        """How many of them act in each window, half of them within `half_s`."""
        edges = np.maximum(0.0, self._edges(start) - event.at_s)
        reached = np.rint(people * -np.expm1(-edges * np.log(2) / half_s)).astype(np.int64)
        return np.asarray(np.diff(reached), np.int64)

    def _hot(self, event: Event, opened: Ints) -> list[Extra]:
        """Every page that is opened for one tweet asks for that tweet's counts and, where lists are read from Redis, for its
        author's list: one key each."""
        epoch, tweet = self._loads.tiers.epoch, self.tweet_of(event)
        found = [_on_one(Kind.TWEET_COUNTS, route(Kept.TWEET_COUNTS, tweet, epoch)[1], epoch.redis, opened)]
        pulled = self._rule.delivery in {Delivery.HYBRID, Delivery.PULL} and self._loads.day.rule.lists is Lists.REDIS
        if pulled and event["followers"] > self._rule.celebrity_followers_min:
            elements = self._loads.elements_a_call(Kind.CELEB_LIST)
            found.append(_on_one(Kind.CELEB_LIST, route(Kept.AUTHOR_LIST, tweet, epoch)[1], epoch.redis, opened, elements))
        return found

    def tweet_of(self, event: Event) -> int:
        """The id of its tweet, and a stand-in for its author's."""
        return key_of(self._seed, event.name) >> 1

    def opens(self, event: Event) -> float:
        """How many of its followers open the app on the notice."""
        return self.resident(event) * event["open_share"]

    def resident(self, event: Event) -> float:
        """Followers with a cached timeline."""
        day = self._loads.day
        return event["followers"] * day.totals.residents / day.users

    def _reactions(self, event: Event, acting: Ints, start: float) -> list[Extra]:
        """Likes fall on one tweet: one partition of its counter, one of its rows, one of the log."""
        loads, epoch = self._loads, self._loads.tiers.epoch
        tweet = self.tweet_of(event)
        likes, retweets = scaled(acting, event["like_share"]), scaled(acting, event["retweet_share"])
        replies = scaled(acting, event["reply_share"])
        made = retweets + replies
        pushed = scaled(made, loads.day.totals.stored / max(1, loads.day.totals.tweets))
        on_one = ((Kind.LIKE, Kept.LIKES, likes), (Kind.COUNT, Kept.LIVE_COUNTS, likes + made), (Kind.EVENT, Kept.EVENTS, likes))
        extras = [_on_one(kind, route(kept, tweet, epoch)[1], epoch.shards(kept.tier), calls) for kind, kept, calls in on_one]
        key = f"{event.name} retweets {start}"
        extras += [loads.spread(kind, made, 1.0, key) for kind in (Kind.PUT_TWEET, Kind.EVENT, Kind.FOLLOWERS_PAGE)]
        return [*extras, loads.spread(Kind.PUSH, pushed, 1.0, key)]

    def _refresh(self, event: Event, start: float, state: dict[Tier, State], effect: Effect) -> None:
        """People come back at once; a share of the timelines is gone."""
        loads = self._loads
        spread_s = max(event["within"], self._rule.jitter_s)
        back = event["share"] * loads.day.totals.readers
        edges = np.clip((self._edges(start) - event.at_s) / spread_s, 0.0, 1.0)
        reached: Ints = np.rint(back * edges).astype(np.int64)
        effect.opened += int(reached[-1] - reached[0])
        effect.extras += loads.reads(np.asarray(np.diff(reached), np.int64), f"{event.name} reads {start}")
        if start <= event.at_s < start + MINUTE_S:
            self._lose(state, list(range(loads.tiers.epoch.redis)), event["cold"])
        if edges[-1] > edges[0]:
            come = np.minimum(event["share"] * self._people.seen_a_day(loads.day.totals.readers), 1 - 1e-9)
            self._back += -np.log1p(-come) / spread_s * (edges[-1] - edges[0]) * spread_s / MINUTE_S

    def _node_loss(self, event: Event, start: float, state: dict[Tier, State], effect: Effect) -> None:
        """Down until others take over; what no replica had is cold. Nodes of Cassandra stand in for one another at once, but
        do the work of the lost one too; so do gateways, as soon as nothing more is sent to the lost one."""
        loads, tier = self._loads, Tier(event.tier)
        shards = loads.tiers.epoch.shards(tier)
        a_node = max(1, round(shards / max(1, loads.tiers.nodes[tier])))
        gone = list(range(min(shards, int(event["nodes"]) * a_node)))
        until = event.at_s + event["failover"]
        down = effect.down.setdefault(tier, np.full((shards, 2), np.inf))
        if tier is not Tier.CASSANDRA:
            down[gone] = (event.at_s, until)
        if tier in {Tier.CASSANDRA, Tier.GATEWAY}:
            since = event.at_s if tier is Tier.CASSANDRA else until
            if since < start + MINUTE_S:
                effect.lost[tier] = Lost(gone, max(0, math.ceil(since - start)))
        if tier is Tier.REDIS and start <= until < start + MINUTE_S:
            self._lose(state, gone, 1.0 - event["kept"])

    def _surge(self, event: Event, start: float, _: dict[Tier, State], effect: Effect) -> None:
        middles = (self._edges(start)[:-1] + self._edges(start)[1:]) / 2
        within = (middles >= event.at_s) & (middles < event.at_s + event["lasts"])
        effect.factor = effect.factor * np.where(within, event["factor"], 1.0)

    def _lose(self, state: dict[Tier, State], shards: list[int], share: float) -> None:
        redis = state[Tier.REDIS]
        users = np.rint(self._people.on_shards(redis.shards) * share).astype(np.int64)
        state[Tier.REDIS] = lose(redis, users, shards)

    def _return(self, state: dict[Tier, State], pace: Floats, waits_s: float, effect: Effect) -> None:
        """Cold people who read, and what their rebuilds cost the tiers of truth."""
        redis, loads = state[Tier.REDIS], self._loads
        if not redis.cold.any():
            return
        again = 1.0 if self._rule.single_flight else 1.0 + waits_s / REFRESH_EVERY_S
        state[Tier.REDIS], returns = warm(redis, pace, loads.windows, np.inf, key_of(self._seed, "warm"))
        epoch = loads.tiers.epoch
        shards = {Kind.REBUILD_READ: epoch.cassandra, Kind.FOLLOWERS_PAGE: epoch.mysql}
        for kind, calls in charged(returns, self._people.followees, shards, key_of(self._seed, "charged")).items():
            effect.extras.append(Extra(kind, np.rint(calls * again).astype(np.int64), loads.elements_a_call(kind)))
        rebuilt = np.rint(returns.rebuilt.sum(axis=0) * again).astype(np.int64)
        effect.cold_reads += int(returns.rebuilt.sum())
        effect.begun = returns.rebuilt
        effect.rebuilds += int(rebuilt.sum())
        effect.extras.append(Extra(Kind.REBUILD_WRITE, WRITES_A_REBUILD * rebuilt, loads.elements_a_call(Kind.REBUILD_WRITE)))


ACTS = {
    Happening.POST: Happenings._post, Happening.REFRESH: Happenings._refresh,  # noqa: SLF001 - the table of this class's own
    Happening.NODE_LOSS: Happenings._node_loss, Happening.SURGE: Happenings._surge,  # noqa: SLF001
}  # fmt: skip


def _on_one(kind: Kind, shard: int, shards: int, calls: Ints, elements: float = 1.0) -> Extra:
    out = np.zeros((shards, calls.size), np.int64)
    out[shard] = calls
    return Extra(kind, out, elements)


def pushes(loads: RunLoads, by_window: Ints, keys_a_call: float, key: str) -> Extra:
    """Deliveries of a large author by window, in calls of so many keys, over all rows."""
    calls = np.rint(np.diff(np.floor(np.cumsum(np.concatenate(([0], by_window))) / keys_a_call))).astype(np.int64)
    return Extra(Kind.PUSH, evenly(calls, loads.tiers.epoch.redis, key_of(0, key)), keys_a_call)
