"""The threshold beside the best rule for each pair."""

import pytest

from twit.simulate.day.regret import regret
from twit.simulate.population.people import open_population

pytestmark = pytest.mark.slow  # compiles the population: a minute on a new machine


@pytest.fixture(scope="module")
def people():
    return open_population(20_000, seed=5)


def test_no_rule_is_better_than_the_best(people):
    found = regret(people, sampled=500)
    assert found.best <= min(found.threshold, found.all_pushed, found.all_pulled)
    assert found.regret >= 0
    assert found.pairs == pytest.approx(500 * people.graph.shape.mean_following, rel=0.15)


def test_pulls_that_cost_nothing_make_pulling_everybody_best(people):
    free = regret(people, pull_cost=0.0, sampled=200)
    assert free.best == free.all_pulled == 0
    dear = regret(people, pull_cost=1e9, sampled=200)
    assert dear.best == pytest.approx(dear.all_pushed)
