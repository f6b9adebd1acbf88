"""Progress: a line every 10 s off a terminal, a bar on one, and never a failure of its own."""

from __future__ import annotations

import io

import pytest

from twit.cli import progress
from twit.cli.progress import Progress


@pytest.fixture
def seconds(monkeypatch):
    """The moment that progress takes it to be."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_off_a_terminal_it_is_a_line_every_10_seconds(seconds):
    lines = []
    with Progress(lines.append, "people.csv", 1_000, live=False, color=False) as bar:
        for second in range(1, 31):
            seconds[0] = second
            bar.update(second * 20, "accounts")
    assert lines == [
        "people.csv  200/1 000  20 %  ETA 40 s  20/s  accounts",
        "people.csv  400/1 000  40 %  ETA 30 s  20/s  accounts",
        "people.csv  600/1 000  60 %  ETA 20 s  20/s  accounts",
    ]


def test_each_step_has_its_own_rate_and_its_own_line_at_its_end(seconds):
    lines = []
    with Progress(lines.append, "log.gz", None, live=False, color=False) as bar:
        bar.step("accounts", 0, 100)
        seconds[0] = 0.5
        bar.step("accounts", 100, 100)
        bar.step("tweets", 400, 3_000)  # it goes on where another run stopped
        seconds[0] = 12.5
        bar.step("tweets", 1_600, 3_000)
        bar.step("events", 0, 50)
        seconds[0] = 14.5
        bar.step("events", 50, 50)
    assert lines == [
        "log.gz  1 600/3 000  53 %  ETA 14 s  100/s  tweets",
        "log.gz  1 200 tweets in 12.0 s  100/s",
        "log.gz  50 events in 2.0 s  25/s",
    ]


def test_without_a_total_it_tells_what_is_done_and_how_fast(seconds):
    bar = Progress(print, "tweets", None, live=False, color=False)
    seconds[0] = 10
    assert bar.line(12_345, "throttled: disk") == "tweets  12 345  1234/s  throttled: disk"


def test_nothing_done_yet_is_no_division_by_zero():
    assert Progress(print, "x", 10, live=False, color=False).line(0).startswith("x  0/10  0 %")


def test_what_goes_wrong_while_telling_is_not_the_works_affair(seconds):
    told = []

    def fails(text):
        told.append(text)
        raise OSError("the terminal is gone")

    with Progress(fails, "x", 10, live=False, color=False) as bar:
        seconds[0] = 11
        bar.update(5)
    assert len(told) == 1


def test_on_a_terminal_it_is_a_bar(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(progress.sys, "stderr", screen)
    with Progress(print, "people.csv", 10, live=True, color=False) as bar:
        bar.update(5, "[accounts]")
        bar.update(10)
    assert "people.csv" in screen.getvalue()
