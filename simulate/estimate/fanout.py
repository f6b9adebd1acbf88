"""§10.1 to §10.3: writes a tweet, with and without the celebrity cut."""

from __future__ import annotations

from .inputs import Inputs
from .row import Row, row
from .text import amount
from .traffic import reads_s, tweets_s

SAID_SHARE = 0.05  # of users, and so the design says of tweets, above the cut


def ordinary_followers(given: Inputs) -> float:
    """Followers of an author below the cut, mean."""
    return given.following * (1 - given.celebrity_edges) / max(1 - given.celebrity_users, 1e-9)


def fanout_rows(given: Inputs) -> list[Row]:
    """Write amplification, and what the cut moves to the readers."""
    return [*_hot(given), *_without(given), *_cut(given), *_pulled(given)]


def _hot(given: Inputs) -> list[Row]:
    said = tweets_s(given) * SAID_SHARE
    copies = said * given.redis_nodes
    posts = {"daily_active": given.daily_active, "tweets_per_user": given.tweets_per_user}
    return [
        row(("10.1", "writes of celebrity tweets"), "tweet writes x 5 % x redis_nodes", copies, "/s", says="stored once: 290/s",
            said=290, peak=copies * given.peak, inputs=posts | {"redis_nodes": given.redis_nodes},
            wrong=f"§10.1 replicates them to all Redis nodes: {given.redis_nodes:g} writes each; at its 5 %, which cannot be (§10.3): "
                  f"with {100 * given.celebrity_users:.3g} % of users {tweets_s(given) * given.celebrity_users * given.redis_nodes:,.0f}/s"),
        row(("10.2", "wait that jitter adds to a miss"), "(0 + 100) / 2", 50, "ms", says="0-100 ms",
            omits="the one who rebuilds waits too: let the first go at once under a lock with a fencing token, jitter those who wait"),
    ]  # fmt: skip


def _without(given: Inputs) -> list[Row]:
    writes = tweets_s(given)
    all_pushed = writes * given.following
    inputs = {"daily_active": given.daily_active, "tweets_per_user": given.tweets_per_user, "following": given.following}
    return [
        row(("10.3", "average followers"), "input", given.following, "", says="200", said=200, inputs={"following": given.following}),
        row(("10.3", "tweets a second"), "tweet writes", writes, "/s", says="5,800/s", said=5_800, peak=writes * given.peak, inputs=inputs),
        row(("10.3", "deliveries, everybody pushed"), "tweet writes x following", all_pushed, "/s", says="1.16M/s", said=1.16e6,
            peak=all_pushed * given.peak, inputs=inputs, omits=f"a mean: {all_pushed * given.peak / 1e6:.3g}M/s at {given.peak:g}x"),
        row(("10.3", "Redis commands, everybody pushed"), "deliveries x 2", 2 * all_pushed, "/s", says="1.16M/s", said=1.16e6,
            peak=2 * all_pushed * given.peak, inputs=inputs,
            wrong="one write a delivery: §7.3 sends ZADD and ZREMRANGEBYRANK, two commands, unless a function batches them"),
    ]  # fmt: skip


def _cut(given: Inputs) -> list[Row]:
    writes, below, peak = tweets_s(given), ordinary_followers(given), given.peak
    most = given.following / given.celebrity_followers
    ordinary = writes * (1 - given.celebrity_users)
    pushed = ordinary * below
    cut = {"following": given.following, "celebrity_followers": given.celebrity_followers, "celebrity_users": given.celebrity_users}
    edges = cut | {"celebrity_edges": given.celebrity_edges, "daily_active": given.daily_active}
    return [
        row(("10.3", "users above 10K followers"), "celebrity_users; at most following / cut", given.celebrity_users, "%", says="5 %",
            said=SAID_SHARE, inputs=cut,
            wrong=f"impossible: with a mean of {given.following:g} at most {100 * most:.3g} % can be above (Markov); the population has "
                  f"{100 * given.celebrity_users:.3g} %"),
        row(("10.3", "tweets of authors below the cut"), "tweet writes x (1 - celebrity_users)", ordinary, "/s", says="5,510/s", said=5_510,
            peak=ordinary * peak, inputs=edges,
            wrong=f"95 % of {writes:,.0f}/s: takes 5 % of users for 5 % of tweets; celebrities post more than others, by how much is an input"),
        row(("10.3", "followers of an author below the cut"), "following x (1 - celebrity_edges) / (1 - celebrity_users)", below, "",
            says="200", said=200, inputs=edges,
            wrong=f"200 is the mean over all; {100 * given.celebrity_edges:.3g} % of follows point above the cut, below it {below:.0f} remain"),
        row(("10.3", "deliveries below the cut"), "tweets below the cut x followers below", pushed, "/s", says="1.1M/s", said=1.1e6,
            peak=pushed * peak, inputs=edges,
            wrong=f"5,510 x 200 is {SAID_SHARE * 100:g} % less than everybody; {ordinary:,.0f} x {below:.0f} before residency, "
                  f"{pushed * peak / 1e6:.2g}M/s at {peak:g}x"),
        row(("10.3", "writes in total"), "deliveries below the cut + celebrity tweets", pushed + writes - ordinary, "/s",
            says="~1.1M/s", said=1.1e6, peak=(pushed + writes - ordinary) * peak, inputs=edges,
            wrong="follows from the rows above; the cut saves more writes than the design thinks, and costs reads: next rows"),
    ]  # fmt: skip


def _pulled(given: Inputs) -> list[Row]:
    writes, reads = tweets_s(given), reads_s(given)
    said = writes * SAID_SHARE
    width = given.following * given.celebrity_edges
    lists = reads * width
    posts = {"daily_active": given.daily_active, "tweets_per_user": given.tweets_per_user}
    edges = {"following": given.following, "celebrity_edges": given.celebrity_edges, "reads_per_user": given.reads_per_user}
    return [
        row(("10.3", "celebrity tweets"), "tweet writes x 5 %", said, "/s", says="290/s", said=290, peak=said * given.peak, inputs=posts,
            why="the arithmetic is right for a share of 5 %, which cannot be (above)"),
        row(("10.3", "celebrity followees a user"), "following x celebrity_edges", width, "", says="not said", inputs=edges,
            omits="the price of the cut: so many lists are merged into each read, more where heavy readers follow more celebrities"),
        row(("10.3", "celebrity lists read"), "timeline reads x celebrity followees", lists, "/s", says="not said", inputs=edges,
            peak=lists * given.peak, omits=f"{amount(lists * given.measured_peak, '/s')} in the published peak hour, against "
                                           f"{amount(reads, '/s')} reads of timelines: where these lists live decides the fleet"),
    ]  # fmt: skip
