"""Row 3: durable tweets by authors with 200 followers each, delivered by the same process, beside the raw app of row 1.

A round counts only with its deliveries: it ends with the consumers' lag at nothing, and every follower's row was pushed to.
"""

from .figure import Figure
from .http_load import Loaded, setting, warm_posts
from .http_world import Shape

ROUNDS, SECONDS = 5, 2


def rounds(where, count=ROUNDS, seconds=SECONDS):
    """Closed loop, in turn: posts, raw, posts, raw …; a first round of each is not counted. Checks the deliveries."""
    warm_posts(where)
    Loaded(where.raw, where.home, seconds=1)
    pairs, behind = [], []
    before, posts = where.twit.metric("twit_deliveries_total{"), where.twit.metric('twit_http_requests_total{route="post_tweet",status="201"}')
    for lap in range(count):
        ours = Loaded(where.twit, where.post, seconds=seconds, seed=lap)
        behind.append(where.twit.settle())
        pairs.append((ours, Loaded(where.raw, where.home, seconds=seconds, seed=lap)))
    posts = where.twit.metric('twit_http_requests_total{route="post_tweet",status="201"}') - posts
    delivered = where.twit.metric("twit_deliveries_total{") - before
    if delivered != posts * where.shape.followees:
        msg = f"{delivered:.0f} deliveries of {posts:.0f} tweets to {where.shape.followees} each"
        raise RuntimeError(msg)
    return [one for one, _ in pairs], [other for _, other in pairs], behind, delivered


def figures(row, where, bar):
    ours, raw, behind, delivered = rounds(where)
    against = "raw ASGI app of row 1"
    note = f"{delivered / 1e6:.2f}M deliveries counted, consumers done {sorted(behind)[len(behind) // 2] * 1e3:.0f} ms after the load"
    what = f"POST /tweets, durable, {where.shape.followees} followers, delivered"
    return [
        Figure(row=row, what=what, unit="requests/s", against=against, figures=[one.rate for one in ours],
               references=[one.rate for one in raw], bar=bar, note=note),
        Figure(row=row, what="the same, server CPU a request", unit="µs", against=against, figures=[one.cpu_us for one in ours],
               references=[one.cpu_us for one in raw], bar=None),
    ]  # fmt: skip


def run():
    with setting(Shape()) as where:
        return figures("3", where, 0.30)


ROWS = {"3 durable tweets": run}
