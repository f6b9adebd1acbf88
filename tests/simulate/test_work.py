"""Priors of work: every figure an interval with its source, worlds drawn from them, bad files refused with their line."""

import numpy as np
import pytest

from twit.core.errors import Invalid
from twit.simulate.kinds import TIER_OF, Kind, Tier
from twit.simulate.work import FOLDER, draw, mean_work, middle, open_work, read_work, work

DESIGN = (FOLDER / "design.toml").read_text(encoding="utf-8")


def test_every_kind_has_a_prior_with_a_source():
    works = open_work()
    assert set(works.priors) == set(Kind)
    assert all(len(prior.source) > 20 and prior.date for prior in works.priors.values())


def test_mysql_and_the_gateway_are_not_sized_by_priors():
    assert open_work().untrusted == [Tier.GATEWAY, Tier.MYSQL]


def test_a_timeline_of_800_costs_an_order_more_than_a_get():
    theta = middle(open_work())
    assert 10 < work(Kind.HOME_IDS, 800, 0, theta) / work(Kind.HOME_IDS, 0, 0, theta) < 20
    assert work(Kind.PUSH, 1000, 0, theta) == pytest.approx(4.5e-3, rel=0.01)


def test_worlds_stay_in_their_intervals_and_one_machine_is_one_input():
    works = open_work()
    worlds = [draw(works, 7, n) for n in range(200)]
    base = np.array([w.base for w in worlds])
    for kind, prior in works.priors.items():
        low, high = prior.parts["base_us"].low * 1e-6, prior.parts["base_us"].high * 1e-6
        assert low * 0.999 <= base[:, kind].min()
        assert base[:, kind].max() <= high * 1.001
    same = [kind for kind in Kind if TIER_OF[kind] is Tier.CASSANDRA]
    assert np.corrcoef(np.argsort(np.argsort(base[:, same[0]])), np.argsort(np.argsort(base[:, same[1]])))[0, 1] > 0.99
    assert draw(works, 7, 3).draws == worlds[3].draws
    assert draw(works, 7, 3, {"redis.base_us": 0.5}).base[Kind.HOME_IDS] == middle(works).base[Kind.HOME_IDS]


def test_mean_work_is_that_of_the_mean_call():
    theta = middle(open_work())
    calls, elements, sizes = np.array([[4, 0]]), np.array([[400, 0]]), np.array([[4000, 0]])
    means = mean_work((Kind.HOME_IDS,), calls, elements, sizes, theta)
    assert means[0, 0] == pytest.approx(work(Kind.HOME_IDS, 100, 1000, theta))
    assert means[0, 1] == pytest.approx(work(Kind.HOME_IDS, 0, 0, theta))


@pytest.mark.parametrize(("before", "after", "says"), [
    ("[kinds.LIKE]", "[kinds.LUKE]", "unknown; allowed"),
    ("base_us = { value = 1.2, low = 0.5", "base_us = { value = 1.2, low = 1.5", "low <= value <= high"),
    ("base_us = { value = 1.2, low = 0.5", "base_us = { value = -1.2, low = -1.5", "low <= value <= high"),
    ('source = "kafka"', 'source = "hearsay"', "must be one of"),
    ("variation = 0.5", 'variation = "much"', "a number from 0 to 10"),
])  # fmt: skip
def test_a_bad_file_is_refused_with_its_line(before, after, says):
    with pytest.raises(Invalid, match=says) as refused:
        read_work(DESIGN.replace(before, after, 1), "mine.toml")
    assert "mine.toml:" in str(refused.value)


def test_an_unknown_name_is_told_what_there_is():
    with pytest.raises(Invalid, match="no work priors called"):
        open_work("guess")
