"""Numbers as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twit.simulate.quantities import clock_of, count_of, seconds_of, shown_count, shown_seconds


@pytest.mark.parametrize(("text", "value"), [
    ("500M", 500e6), ("1.5k", 1_500), ("20_000", 20_000), ("2B", 2e9), ("7", 7), (12, 12), (0.5, 0.5), ("1e6", 1e6), ("1,000", 1_000),
])  # fmt: skip
def test_a_count_is_read(text, value):
    assert count_of(text) == value


@pytest.mark.parametrize(("text", "value"), [("90s", 90), ("2m30s", 150), ("24h", 86_400), ("7d", 604_800), ("250ms", 0.25), (5, 5), ("1h 5m", 3_900)])
def test_a_length_of_time_is_read(text, value):
    assert seconds_of(text) == value


@pytest.mark.parametrize(("text", "value"), [("18:30", 66_600), ("00:00", 0), ("07:05:30", 25_530), ("23:59:59", 86_399)])
def test_a_time_of_day_is_read(text, value):
    assert clock_of(text) == value


@pytest.mark.parametrize(("read", "text"), [
    (count_of, "many"), (count_of, "-5"), (count_of, ""), (count_of, True), (count_of, None), (count_of, "5 k k"),
    (seconds_of, "soon"), (seconds_of, ""), (seconds_of, "5x"), (seconds_of, "2h nonsense"), (clock_of, "24:00"), (clock_of, "18"), (clock_of, 18),
    (clock_of, "18:60"), (clock_of, "18:30:60"),
])  # fmt: skip
def test_what_is_not_one_is_refused_with_examples(read, text):
    with pytest.raises(ValueError, match="such as"):
        read(text)


@given(st.floats(1e-3, 1e13))
def test_a_shown_count_is_read_back_within_its_three_figures(value):
    assert count_of(shown_count(value)) == pytest.approx(value, rel=0.006) or value < 1


@pytest.mark.parametrize(("value", "text"), [
    (0.045, "45 ms"), (1, "1 s"), (3.21, "3.21 s"), (120, "2 m 00 s"), (150, "2 m 30 s"), (7_199, "119 m 59 s"), (7_200, "2 h 00 m"),
    (14_700, "4 h 05 m"), (172_799, "47 h 59 m"), (172_800, "2 d 00 h"), (273_600, "3 d 04 h"),
])  # fmt: skip
def test_a_length_of_time_is_shown(value, text):
    assert shown_seconds(value) == text
