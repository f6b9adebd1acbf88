"""Row 2: row 1 with all tweets and fragments forgotten before each request: every page is read from SQLite and encoded."""

from .http_load import setting
from .http_world import Shape
from .row01_home import figures

READERS = 2_000  # few enough for all to be known after the warm-up: cold are the tweets, not the people


def run():
    with setting(Shape(readers=READERS, authors=50), cold=True) as where:
        return figures("2", where, 0.20, "cold: ")


ROWS = {"2 home timeline, cold fragments": run}
