"""The system design's arithmetic: its numbers come out as a golden page, each of its slips is found, every input moves what it should."""

from pathlib import Path

import pytest

from twit.core.errors import Invalid
from twit.simulate.estimate import ALLOWED, Inputs, estimate, inputs_from, number, page
from twit.simulate.estimate.row import agrees

GOLDEN = Path(__file__).parent / "estimate.golden.txt"  # twit simulate estimate > tests/simulate/estimate.golden.txt


def rows(**given: float):
    return {(row.section, row.quantity): row for row in estimate(inputs_from(given))}


ROWS = rows()


def test_the_page_is_the_golden_one():
    assert page(estimate()) == GOLDEN.read_text(encoding="utf-8").splitlines()


SLIPS = [  # of the table "Slips of the system design": section, quantity, verdict, what comes out, what its reason must name
    ("3.1", "readers to writers, requests", "wrong", 10, "500:1 in tweets shown"),
    ("3.2", "search queries", "omits", 2_893.5, "8,681/s"),
    ("card", "tweet write at peak", "wrong", 17_361, "17,400"),
    ("3.3", "text of a tweet", "wrong", 1_120, "UTF-8"),
    ("3.3", "tweets in five years", "omits", 365e12, "1.095 PB"),
    ("3.3", "media in five years", "omits", 273.75e15, "growth"),
    ("3.3", "follow relationships", "omits", 2.56e12, "14.4 TB"),
    ("3.4", "media a page", "wrong", 15, "30 %"),
    ("3.4", "outgoing media", "wrong", 86.8e9, "260 GB/s at 3x"),
    ("3.4", "timelines as they are sent", "wrong", 1.62e9, "28 KB"),
    ("7.4", "an entry", "omits", 16, "payload only"),
    ("7.4", "all timelines", "omits", 6.4e12, "weekly actives"),
    ("7.4", "all timelines as sorted set, skiplist", "wrong", 51.45e12, "51.5 TB"),
    ("7.4", "all timelines as sorted set, listpack", "wrong", 12.35e12, "8.25 TB to 12.3 TB"),
    ("7.4", "all timelines as list", "wrong", 7.8e12, "4.2 TB to 7.8 TB"),
    ("8.1", "Redis nodes", "wrong", 334, "407 at 15.6 KB"),
    ("8.2", "timeline cache in all regions", "wrong", 19.2e12, "19.2 TB"),
    ("10.3", "users above 10K followers", "wrong", 0.001, "Markov"),
    ("10.3", "followers of an author below the cut", "wrong", 125.1, "125"),
    ("10.3", "deliveries below the cut", "wrong", 723_380, "2.2M/s at 3x"),
    ("10.3", "Redis commands, everybody pushed", "wrong", 2_314_815, "two commands"),
    ("10.1", "writes of celebrity tweets", "wrong", 28_935, "all Redis nodes"),
    ("7.4", "what ends a cached timeline", "wrong", 3, "WRONGTYPE"),
    ("8.1", "users on the fullest shard", "omits", 798e6, "time-ordered"),
]


@pytest.mark.parametrize(("section", "quantity", "verdict", "computed", "reason"), SLIPS)
def test_each_slip_is_found(section, quantity, verdict, computed, reason):
    row = ROWS[section, quantity]
    assert row.verdict == verdict
    assert row.computed == pytest.approx(computed, rel=2e-3)
    assert reason in row.why


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("3.1", "500 million 800 million 1000:1 10 5 billion"),
        ("3.2", "~5,800/s ~17,400/s ~58,000/s ~174,000/s 50M 250M ~2,900/s"),
        ("3.3", "8 bytes 280 bytes 100 bytes ~400 bytes 200 GB/day 365 TB 30 % 1 MB 150 TB/day 274 PB 800 GB 200 2.56 TB"),
        ("3.4", "2.3 MB/s 1,740/s 1.74 GB/s ~1.75 GB/s 1.16 GB/s 10 58 GB/s ~60 GB/s"),
        ("7.4", "800 16 bytes 12.8 KB 6.4 TB >7 days 24 h"),
        ("8.1", "256 ~3M users 3 100 nodes 64 GB 6.4 TB"),
        ("10.3", "200 5,800/s 1.16M/s 5 % 5,510/s 1.1M/s 290/s ~1.1M/s"),
    ],
)
def test_every_number_of_the_design_has_its_row(section, said):
    says = " ".join(row.design_says for (where, _), row in ROWS.items() if where == section)
    for figure in said.split():
        assert figure in says


def test_what_is_right_is_called_ok():
    right = {quantity for (_, quantity), row in ROWS.items() if row.verdict == "ok"}
    assert {"tweet writes", "timeline reads", "timeline requests a day", "tweets a day", "users a shard", "incoming text"} <= right


@pytest.mark.parametrize("name", list(ALLOWED))
def test_every_input_moves_something(name):
    value = getattr(Inputs(), name)
    twice = value * 1.2 if name not in {"redis_fill", "char_bytes_max"} else value / 2
    moved = rows(**({"weekly_active": 650e6} | {name: twice}))
    assert [key for key, row in moved.items() if (row.computed, row.at_peak, row.why) != (ROWS[key].computed, ROWS[key].at_peak, ROWS[key].why)]


def test_a_figure_is_wrong_only_where_the_inputs_make_it_so():
    assert rows(redis_fill=1.0, redis_copies=1)["8.1", "Redis nodes"].verdict == "ok"
    assert rows(daily_active=250e6)["3.2", "timeline reads"].verdict == "wrong"
    assert rows(daily_active=250e6)["3.2", "timeline reads"].why == "0.499 times what it says"


def test_weekly_actives_lie_halfway_unless_given():
    assert inputs_from({"daily_active": 100e6, "monthly_active": 300e6}).weekly_active == 200e6


@pytest.mark.parametrize(
    ("given", "what", "allowed"),
    [
        ({"daily_active": 0}, "--daily-active 0", "1 to 1e+10"),
        ({"tweets_per_user": -1}, "--tweets-per-user -1", "0 to"),
        ({"following": 900e3, "daily_active": 1e5, "monthly_active": 1e5}, "--following", "fewer than there are users"),
        ({"celebrity_users": 0.05}, "--celebrity-users 0.05", "at most 0.02"),
        ({"daily_active": 900e6}, "daily 9e+08", "daily-active <= weekly-active"),
        ({"peak": float("nan")}, "--peak nan", "1 to 100"),
        ({"users": 5}, "no input users", "daily_active"),
    ],
)
def test_inputs_that_cannot_be_are_refused_with_what_is_allowed(given, what, allowed):
    with pytest.raises(Invalid) as refused:
        rows(**given)
    assert what in str(refused.value) and allowed in refused.value.meaning


def test_numbers_as_people_write_them():
    assert [number(text) for text in ("500M", "2.5k", "30%", "64GB", "1.25TiB", "1_000", "1,000", "1e6")] == [
        5e8, 2500, pytest.approx(0.3), 64e9, 1.25 * 2**40, 1000, 1000, 1e6,
    ]  # fmt: skip
    with pytest.raises(Invalid):
        number("many")


def test_rounding_is_not_a_slip_but_rounding_twice_is():
    assert agrees(17_400, 17_361.1) and agrees(6_000, 5_787) and not agrees(18_000, 17_361.1)
