"""Scale of rows 1 and 3: the server's CPU time a request with 100,000 people (`--long`: a million) beside that with 10,000.

As many people are active in both: 10,000 readers of 200 followees, 500 authors of 200 followers, strewn over all ids. What grows is the world
around them: accounts, tweets, timelines, the indexes of the database.
"""

from contextlib import ExitStack

from .figure import Figure
from .http_load import Loaded, setting, warm, warm_posts
from .http_world import Shape

SMALL, LARGE, HUGE = 10_000, 100_000, 1_000_000
READERS, AUTHORS = 10_000, 500
ROUNDS, SECONDS = 5, 2
FLAT = 1.25


def compared(people):
    with ExitStack() as stack:
        small, large = (
            stack.enter_context(setting(Shape(people=count, readers=READERS, authors=AUTHORS))) for count in (SMALL, people)
        )
        for where in (small, large):
            warm(where.twit, where.home, READERS, seconds=15)
        home = [
            [Loaded(where.twit, where.home, seconds=SECONDS, seed=lap).cpu_us for where in (large, small)] for lap in range(ROUNDS)
        ]
        post = []
        for where in (small, large):
            warm_posts(where)
        for lap in range(ROUNDS):
            taken = []
            for where in (large, small):
                taken.append(Loaded(where.twit, where.post, seconds=SECONDS, seed=lap).cpu_us)
                where.twit.settle()
            post.append(taken)
    return [
        Figure(row=row, what=f"{what}, server CPU a request with {people:,} people", unit="µs", against=f"with {SMALL:,}",
               figures=[one for one, _ in pairs], references=[other for _, other in pairs], bar=FLAT, at_least=False)
        for row, what, pairs in (("1", "GET /timeline/home", home), ("3", "POST /tweets, delivered", post))
    ]  # fmt: skip


def run():
    return compared(LARGE)


def run_long():
    return compared(HUGE)


run_long.long = True

ROWS = {"1s rows 1 and 3 with 100,000 people": run, "1m rows 1 and 3 with 1,000,000 people": run_long}
