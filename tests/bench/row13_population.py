"""Row 13: the follow graph of 500 million users: edges a second of processor time, beside a numpy gather.

The reference is numpy's fancy index of 20 million random positions in 400 MB, one thread, in the same run. Nothing is stored per
user, so an edge costs arithmetic instead of a miss; the ratio says which is cheaper. Two threads are by the wall clock.
"""

import threading
import time

import numpy as np

from twit.simulate.compiled import njit
from twit.simulate.population import kernels
from twit.simulate.population.graph import build_graph
from twit.simulate.population.shape import GraphParams

from .figure import Figure

ROUNDS = 5
POSITIONS = 20_000_000
AGAINST = "numpy gather of 20M positions in 400 MB"


@njit
def following(table, at, ids, out):
    edges = 0
    for user in ids:
        edges += kernels.following_into(table, at, user, out)
    return edges


@njit
def followers(table, at, ids, out):
    edges = 0
    for user in ids:
        edges += kernels.followers_into(table, at, user, 0, out)
    return edges


@njit
def kth(table, at, ids, slots):
    found = 0
    for i in range(ids.size):
        found += 1 if kernels.follower_at(table, at, ids[i], slots[i]) >= 0 else 0
    return found


@njit
def membership(table, at, ids, others):
    found = 0
    for i in range(ids.size):
        found += 1 if kernels.follows(table, at, ids[i], others[i]) else 0
    return found


class Bench:
    """The graph, the users that are asked for, and the reference's arrays."""

    def __init__(self):
        chance = np.random.default_rng(13)
        began = time.perf_counter()
        self.graph = build_graph(GraphParams(), 7)
        self.first_s = time.perf_counter() - began
        began = time.perf_counter()
        build_graph(GraphParams(), 7)
        self.build_s = time.perf_counter() - began
        graph = self.graph
        self.big = np.arange(100_000_000, dtype=np.uint32)
        self.positions = chance.integers(0, self.big.size, POSITIONS)
        self.users = chance.integers(0, graph.users, 40_000)
        self.ordinary = self.users[~graph.is_celebrity(self.users)]
        self.giants = np.array([graph.celebrity_by_rank(rank) for rank in (700, 2_000, 5_000)])
        self.mids = np.array([graph.celebrity_by_rank(rank) for rank in range(20_000, 450_000, 4_000)])
        degrees = graph.in_degree(self.users)
        self.asked = np.repeat(self.users[degrees > 0], 5)
        self.slots = (chance.random(self.asked.size) * np.repeat(degrees[degrees > 0], 5)).astype(np.int64)
        self.others = chance.integers(0, graph.users, self.asked.size)

    def gather(self):
        return self.big[self.positions].size

    def following(self, ids):
        return following(self.graph.table, self.graph.at, ids, np.empty(20_000, np.int64))

    def followers_of(self, ids):
        return followers(self.graph.table, self.graph.at, ids, np.empty(int(self.graph.in_degree(ids).max()), np.int64))

    def kth(self):
        kth(self.graph.table, self.graph.at, self.asked, self.slots)
        return self.asked.size

    def membership(self):
        membership(self.graph.table, self.graph.at, self.asked, self.others)
        return self.asked.size


def rate(work, clock=time.process_time):
    began = clock()
    done = work()
    return done / (clock() - began)


def best(work, clock=time.process_time):
    """The better of two: what the machine's other work left alone."""
    return max(rate(work, clock) for _ in range(2))


def together(work, parts):
    """Edges of all parts, each on a thread of its own."""
    done = [0] * len(parts)

    def one(i):
        done[i] = work(parts[i])

    threads = [threading.Thread(target=one, args=(i,)) for i in range(len(parts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done)


def run():
    bench = Bench()
    works = {
        "following(user), all tiers": (lambda: bench.following(bench.users), 0.6),
        "followers(giant)": (lambda: bench.followers_of(bench.giants), 1.2),
        "followers(mid celebrity)": (lambda: bench.followers_of(bench.mids), 1.2),
        "followers(ordinary user), all tiers": (lambda: bench.followers_of(bench.ordinary), None),
        "k-th follower of a random user": (bench.kth, 0.25),
        "follows(u, v)": (bench.membership, 0.35),
    }
    began = time.perf_counter()
    for work, _ in works.values():
        work()
    bench.gather()
    warm_s = time.perf_counter() - began
    note = f"tables {bench.graph.table.nbytes / 1e6:.2f} MB; built in {bench.build_s:.2f} s, first {bench.first_s:.1f} s; first use of all queries {warm_s:.1f} s"
    figures = []
    for what, (work, bar) in works.items():
        pairs = [(best(work), best(bench.gather)) for _ in range(ROUNDS)]
        figures.append(Figure(
            row="13", what=what, unit="/s", against=AGAINST, figures=[ours for ours, _ in pairs], references=[theirs for _, theirs in pairs],
            bar=bar, note=note if not figures else "",
        ))
    return [*figures, *threaded(bench)]


def threaded(bench):
    """Two threads beside one, by the wall clock, each with half of the users."""
    return [
        *paired("following, two threads", bench.following, bench.users),
        *paired("followers(mid celebrity), two threads", bench.followers_of, bench.mids),
    ]


def paired(what, work, ids):
    halves = [ids[0::2].copy(), ids[1::2].copy()]  # celebrities come by rank: the first half of them has most of the edges
    pairs = []
    for _ in range(ROUNDS):
        two = best(lambda: together(work, halves), time.perf_counter)
        pairs.append((two, best(lambda: work(ids), time.perf_counter)))
    figures = [two for two, _ in pairs]
    return [
        Figure(row="13", what=what, unit="/s", against="one thread, wall clock", figures=figures, references=[one for _, one in pairs], bar=1.6),
        Figure(row="13", what=what, unit="/s", against="50M edges a second", figures=figures, references=[50e6] * len(pairs), bar=1.0),
    ]


ROWS = {"13 population": run}
