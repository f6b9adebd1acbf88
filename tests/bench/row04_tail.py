"""Row 4: the tail of home pages at 70 % of their maximum, open loop, while tweets come in at 20 % of theirs; beside the same alone."""

import statistics

from .figure import Figure
from .http_load import Loaded, begin, end, setting, warm, warm_posts
from .http_world import Shape

ROUNDS, SECONDS = 5, 4
READS, POSTS = 0.7, 0.2


def run():
    with setting(Shape()) as where:
        warm(where.twit, where.home, where.shape.readers)
        warm_posts(where)
        pairs, kept = [], []
        for lap in range(ROUNDS):  # maxima anew in each round: the machine is not the same all the time
            reads = READS * Loaded(where.twit, where.home, seconds=1.5, seed=lap).rate
            posts = POSTS * Loaded(where.twit, where.post, seconds=1.5, seed=lap).rate
            where.twit.settle()
            alone = end(begin(where.twit, where.home, seconds=SECONDS, rate=reads, seed=lap))
            writing = begin(where.twit, where.post, seconds=SECONDS + 2, warmup=0, rate=posts, seed=lap)
            beside = end(begin(where.twit, where.home, seconds=SECONDS, rate=reads, seed=lap))
            kept.append(float(end(writing)["rate"]) / posts)
            where.twit.settle()
            pairs.append((float(beside["p99_ms"]), float(alone["p99_ms"])))
    return Figure(
        row="4", what=f"p99 of home pages at {READS:.0%} of their maximum, tweets at {POSTS:.0%} of theirs beside", unit="ms",
        against="p99 at the same rate alone", figures=[beside for beside, _ in pairs], references=[alone for _, alone in pairs],
        bar=2.0, at_least=False, note=f"open loop; tweets kept {statistics.median(kept):.0%} of their rate",
    )  # fmt: skip


ROWS = {"4 tail under writes": run}
