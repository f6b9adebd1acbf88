"""Row 1: the first page of the home timeline over HTTP, beside a raw ASGI app on the same server that joins prebuilt fragments."""

from .figure import Figure
from .http_load import Loaded, setting, warm
from .http_world import Shape

ROUNDS, SECONDS = 5, 2


def page(where):
    return f"GET /timeline/home, 50 tweets, {where.page_bytes / 1000:.0f} KB, {where.shape.readers} readers of {where.shape.people}"


def rounds(where, count=ROUNDS, seconds=SECONDS):
    """Closed loop, in turn: ours, raw, ours, raw …; a first round of each is not counted."""
    warm(where.twit, where.home, where.shape.readers)
    Loaded(where.raw, where.home, seconds=1)
    pairs = [
        (Loaded(where.twit, where.home, seconds=seconds, seed=lap), Loaded(where.raw, where.home, seconds=seconds, seed=lap))
        for lap in range(count)
    ]
    return [one for one, _ in pairs], [other for _, other in pairs]


def figures(row, where, bar, how=""):
    ours, raw = rounds(where)
    against = "raw ASGI app, joins 50 prebuilt fragments, same uvicorn"
    return [
        Figure(row=row, what=how + page(where), unit="requests/s", against=against, figures=[one.rate for one in ours],
               references=[one.rate for one in raw], bar=bar),
        Figure(row=row, what=how + "the same, server CPU a request", unit="µs", against=against, figures=[one.cpu_us for one in ours],
               references=[one.cpu_us for one in raw], bar=None),
    ]  # fmt: skip


def run():
    with setting(Shape()) as where:
        return figures("1", where, 0.60)


ROWS = {"1 home timeline": run}
