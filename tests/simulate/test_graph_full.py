"""Half a billion users: what cannot be enumerated whole is sampled, what must be exact is enumerated."""

import time

import numpy as np
import pytest

from twit.simulate.population.graph import build_graph
from twit.simulate.population.shape import GraphParams
from twit.simulate.validate.graph import full_rows, table_rows, top_rows
from twit.simulate.validate.graph_top import enumerated, evenness

pytestmark = pytest.mark.slow  # half a billion users


@pytest.fixture(scope="module")
def graph():
    return build_graph(GraphParams(), 7)


def test_half_a_billion_users_fit_into_a_few_megabytes(graph):
    assert graph.users == 500_000_000
    assert graph.table.nbytes < 8e6
    assert all(row.holds for row in table_rows(graph))


def test_the_first_account_has_the_published_followers(graph):
    assert graph.in_degree([graph.celebrity_by_rank(0)])[0] == 133_300_000
    last = graph.celebrity_by_rank(graph.shape.celebrities - 1)
    assert graph.in_degree([last])[0] > 10_000
    assert graph.pull_width(np.arange(1000)).mean() > 50


@pytest.mark.parametrize("users", [5_000_000, 50_000_000, 1_000_000_000, 2_000_000_000])
def test_other_sizes_answer_the_same_both_ways(users):
    graph = build_graph(GraphParams(users=users), 3)
    for user in np.random.default_rng(1).integers(0, graph.users, 20):
        following = graph.following(int(user))
        assert graph.is_following(np.full(following.size, user), following).all()
        assert np.unique(following).size == following.size
        assert all(user in graph.followers(int(v)) for v in following[~graph.is_celebrity(following)][:3])


def test_a_spread_that_is_uneven_is_told_from_one_by_chance():
    chance = np.random.default_rng(3)
    drawn = np.bincount(chance.choice(1_000_000, 300_000, replace=False) % 100, minlength=100)
    assert 0.001 < evenness(drawn, 300_000, 1_000_000) < 0.999
    drawn[:50] += 100
    drawn[50:] -= 100
    assert evenness(drawn, 300_000, 1_000_000) < 1e-6


@pytest.mark.timeout(600)
def test_degrees_reciprocity_regions_and_a_hundred_thousand_users_both_ways(graph):
    assert [row for row in full_rows(graph, 100_000) if not row.holds] == []


@pytest.mark.timeout(900)
def test_the_top_twenty_have_exactly_their_followers_all_distinct_and_evenly_over_shards(graph):
    accounts = list(enumerated(graph, 20))
    assert sum(account.found for account in accounts) > 1_700_000_000
    assert [row for row in top_rows(accounts) if not row.holds] == []


def test_two_builds_take_no_time_and_are_the_same(graph):
    began = time.perf_counter()
    again = build_graph(GraphParams(), 7)
    assert again.table.tobytes() == graph.table.tobytes()
    print(f"built in {time.perf_counter() - began:.2f} s")
