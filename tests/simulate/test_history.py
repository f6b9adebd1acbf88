"""Rung 5: history is compared by bounds that were there first, and what misses stays in the table."""

import msgspec
import pytest

from twit.core.errors import TwitError
from twit.simulate.population.params import load_params
from twit.simulate.validate.history import PREDICTIONS, Row, compare, read_history

BOUNDS = {  # as they were committed before the first comparison
    ("twitter-2013", "tweets a day"): 1.05,
    ("twitter-2013", "home reads a second"): 1.05,
    ("twitter-2013", "deliveries a day"): 2.0,
    ("twitter-2013", "last of 31M followers reached"): 2.0,
    ("twitter-2014", "timeline memory allocated"): 2.0,
    ("twitter-2014", "timeline operations a second"): 2.0,
    ("twitter-2014", "timeline instances"): 2.0,
}


def row(predicted: float, bound: float = 2.0) -> Row:
    return Row("p", "f", "", predicted, 100.0, bound, calibrated=False, source="s", assumes="", why="")


def test_the_bounds_are_those_of_before_the_comparison():
    assert {(one.preset, one.figure): one.bound for one in read_history().figures} == BOUNDS


def test_every_figure_has_a_source_and_a_prediction():
    figures = read_history().figures
    assert {one.figure for one in figures} == set(PREDICTIONS)
    assert all(one.source and one.published > 0 and one.bound > 1 for one in figures)


def test_what_the_preset_was_made_from_is_no_prediction():
    load = load_params("twitter-2013")
    marked = {one.figure: one.published for one in read_history().figures if one.calibrated}
    assert marked == {"tweets a day": load["load.tweets_per_day"], "home reads a second": load["load.reads_per_day"] / 86_400}


def test_too_little_misses_as_too_much_does():
    assert [row(one).within for one in (49.0, 50.0, 200.0, 201.0)] == [False, True, True, False]


def test_a_figure_with_an_unknown_key_is_refused(tmp_path):
    bad = tmp_path / "history.toml"
    bad.write_text('users=1\nsample=1\nseed=1\n[[figures]]\npreset="a"\nfigure="b"\nunit=""\npublished=1.0\nbound=2.0\nsource=""\nbonud=3.0\n')
    with pytest.raises((msgspec.ValidationError, TwitError), match="bonud"):
        read_history(bad)


@pytest.mark.slow
def test_history_is_compared_whole_and_misses_stay_with_their_reason():
    rows = compare()
    assert {(one.preset, one.figure): one.bound for one in rows} == BOUNDS
    assert all(one.within for one in rows if one.calibrated)
    assert all(one.why for one in rows if not one.within)
    assert next(one for one in rows if one.figure == "last of 31M followers reached").within
    assert next(one for one in rows if one.figure == "deliveries a day").ratio > 0.1
