"""Rung 4 in a village: the real core in the population's world, the oracle, and the compiled day, all saying the same."""

import pytest

from twit.simulate.population.people import open_population
from twit.simulate.validate.day import against_core, against_kernels, drawn_against_exact, strata

pytestmark = pytest.mark.slow  # compiles the population and the day: minutes on a new machine


@pytest.fixture(scope="module")
def people():
    return open_population(20_000, seed=7)


def test_the_strata_are_all_there(people):
    found = strata(people, 4)
    assert list(found) == ["zero", "ordinary", "near the threshold", "far above", "top 20"]
    assert people.graph.in_degree(found["zero"]).max() == 0
    assert people.graph.in_degree(found["top 20"]).min() >= people.graph.in_degree(found["far above"]).max()


async def test_the_core_asks_what_the_oracle_says(people):
    checks = await against_core(people, "design", each=4)
    assert [check for check in checks if not check.holds] == []
    assert len(checks) == 15


async def test_the_core_asks_what_the_oracle_says_of_many(people):
    assert [check for check in await against_core(people, "design", each=40) if not check.holds] == []


def test_the_compiled_day_sums_what_the_oracle_says(people):
    checks = against_kernels(people, each=8)
    assert [check for check in checks if not check.holds] == []


def test_drawn_totals_lie_within_four_sigma_of_exact_ones(people):
    totals = list(drawn_against_exact(people))
    assert [total for total in totals if not total.holds] == []
    assert [total.name for total in totals] == ["tweets", "attempted", "stored", "pulled"]
