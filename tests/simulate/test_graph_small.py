"""Small graphs enumerated whole: both directions tell one set of edges, and every single question agrees with it."""

import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twit.core.errors import Invalid
from twit.simulate.population.graph import build_graph, village
from twit.simulate.population.measured import measure
from twit.simulate.population.shape import GraphParams, plan
from twit.simulate.validate.graph import SEEDS, SMALL
from twit.simulate.validate.graph_exhaustive import exhaustive


@pytest.fixture(scope="module")
def graph():
    return village(20_000, seed=1)


FAST = (10_000, 12_000, 14_000, 16_000, 20_000)


@pytest.mark.parametrize(("users", "seed"), [
    pytest.param(users, seed, marks=() if users in FAST else pytest.mark.slow) for users in SMALL for seed in SEEDS
])
def test_both_sides_membership_slots_and_degrees_tell_the_same_edges(users, seed):
    found = exhaustive(village(users, seed), pairs=100_000)
    assert found.errors == 0, found
    assert found.edges > 15 * users


@pytest.mark.slow
@pytest.mark.parametrize("params", [
    GraphParams(users=100_000), GraphParams(users=30_000, regions=(1,)), GraphParams(users=30_000, regions=(1, 1, 1)),
    GraphParams(users=25_000, ring_share=0.0), GraphParams(users=25_000, ring_share=1.0), GraphParams(users=40_000, in_region_share=0.8),
    GraphParams(users=15_000, degree_agreement=1.0), GraphParams(users=15_000, degree_agreement=0.0),
    GraphParams(users=100_000, head=(20_000, 15_000, 12_000)),
], ids=repr)
def test_other_shapes_hold_too(params):
    found = exhaustive(build_graph(params, 5))
    assert found.errors == 0, found


def test_pages_put_together_are_the_whole_list(graph):
    for user in (graph.celebrity_by_rank(0), graph.celebrity_by_rank(300), 17, 4_711):
        whole = graph.followers(user)
        pages = [graph.followers(user, start, 37) for start in range(0, whole.size + 37, 37)]
        assert np.concatenate(pages).tolist() == whole.tolist()


def test_the_kth_neighbour_is_the_lists_kth(graph):
    for user in (graph.celebrity_by_rank(3), 5, 19_999):
        followers, following = graph.followers(user), graph.following(user)
        assert [graph.ith_follower(user, k) for k in range(min(20, followers.size))] == followers[:20].tolist()
        assert [graph.ith_followee(user, k) for k in range(min(20, following.size))] == following[:20].tolist()
        with pytest.raises(Invalid):
            graph.ith_follower(user, followers.size)


def test_the_celebrities_somebody_follows_are_counted_without_looking(graph):
    for user in range(0, 20_000, 997):
        celebrities = graph.celebrities_of(user)
        following = graph.following(user)
        assert sorted(celebrities.tolist()) == sorted(following[graph.is_celebrity(following)].tolist())
        assert graph.pull_width([user])[0] == celebrities.size


@given(user=st.integers(0, 19_999), u01=st.floats(0, 1, exclude_max=True))
@settings(max_examples=200, deadline=None)
def test_a_random_follower_follows(graph, user, u01):
    follower = graph.random_follower(user, u01)
    assert follower == -1 if graph.followers(user).size == 0 else graph.is_following([follower], [user])[0]


@given(users=st.integers(10_000, 2_000_000_000))
@settings(max_examples=40, deadline=None)
def test_any_number_of_users_has_a_near_shape_that_adds_up(users):
    shape = plan(GraphParams(users=users)).shape
    assert abs(shape.users - users) <= max(500, users // 500)
    assert shape.users == shape.provinces * shape.bins * shape.layers
    assert shape.users < 1 << 31


@given(users=st.integers(10_000, 30_000), seed=st.integers(0, 1 << 70))
@settings(max_examples=5, deadline=None)
def test_any_small_size_and_seed_is_a_simple_graph(users, seed):
    assert exhaustive(village(users, seed), pairs=10_000).errors == 0


def test_same_seed_same_graph_other_seed_other_graph(graph):
    again, other = village(20_000, 1), village(20_000, 2)
    assert again.table.tobytes() == graph.table.tobytes() and again.at == graph.at
    assert other.following(7).tolist() != graph.following(7).tolist()


def test_a_graph_is_frozen_and_travels_between_processes(graph):
    copy = pickle.loads(pickle.dumps(graph))  # noqa: S301  # made here
    assert copy.following(123).tolist() == graph.following(123).tolist()
    with pytest.raises(dataclasses.FrozenInstanceError):
        graph.users = 3
    with pytest.raises(ValueError):
        graph.table[0] = 1


def test_what_is_asked_for_is_what_is_measured():
    graph = build_graph(GraphParams(users=200_000), 3)
    stats = measure(graph, 4_000)
    assert abs(stats.reciprocity - 0.217) < 0.01
    assert abs(stats.in_region - 0.6) < 0.01
    assert stats.clustering_mutual > 0.1  # rings join friends of friends
    assert abs(stats.mean_following - graph.shape.mean_following) < 0.05 * graph.shape.mean_following
    assert (np.bincount(graph.region_of(np.arange(graph.users))) == np.array([4, 3, 2, 1]) * graph.users // 10).all()


def test_without_rings_friends_of_friends_are_strangers():
    with_rings, without = (measure(build_graph(GraphParams(users=200_000, ring_share=share), 3), 2_000) for share in (0.5, 0.0))
    assert without.clustering_mutual < 0.05 < with_rings.clustering_mutual
    assert abs(without.reciprocity - with_rings.reciprocity) < 0.01


@pytest.mark.parametrize(("bad", "field"), [
    ({"users": 0}, "users"), ({"users": -5}, "users"), ({"users": 9_999}, "users"), ({"users": 2_000_000_001}, "users"),
    ({"users": 10_000, "mean_following": 10_000}, "mean_following"), ({"users": 10_000, "max_following": 20_000}, "max_following"),
    ({"users": 10_000, "mean_following": 2_000}, "mean_following"), ({"mean_following": -3.0}, "mean_following"),
    ({"mean_following": float("nan")}, "mean_following"), ({"reciprocity": -0.1}, "reciprocity"), ({"reciprocity": 0.9}, "reciprocity"),
    ({"ring_share": 1.5}, "ring_share"), ({"in_region_share": -0.2}, "in_region_share"), ({"in_region_share": 0.99}, "in_region_share"),
    ({"in_region_share": 0.1}, "in_region_share"), ({"regions": ()}, "regions"), ({"regions": (3, 0)}, "regions"),
    ({"regions": (9, 9)}, "regions"), ({"celebrity_share": -1.0}, "celebrity_share"), ({"threshold": 0}, "threshold"),
    ({"users": 100_000, "threshold": 90_000}, "threshold"), ({"users": 1_000_000, "head": (600_000,)}, "head"),
    ({"users": 1_000_000, "head": (10, 20)}, "head"), ({"users": 1_000_000, "head": (-4,)}, "head"),
    ({"users": 20_000, "head": (9_000,) * 20}, "head"), ({"followers_sigma": -2.0}, "followers_sigma"),
])
def test_what_no_population_can_be_is_refused_with_what_is_allowed(bad, field):
    with pytest.raises(Invalid) as refused:
        build_graph(GraphParams(**bad), 1)
    assert refused.value.field == field
    assert field in str(refused.value)
    assert "allowed" in refused.value.meaning


def test_nobody_outside_the_population_is_answered_for(graph):
    for ask in (lambda: graph.following(20_000), lambda: graph.followers(-1), lambda: graph.is_following([0], [20_000]),
                lambda: graph.celebrity_by_rank(graph.shape.celebrities), lambda: graph.followers(3, -1)):
        with pytest.raises(Invalid):
            ask()
