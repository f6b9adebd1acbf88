"""Rung 1: the queues against closed forms, and what makes a tier fail for good."""

import numpy as np
import pytest

from twit.simulate.queues.closed import erlang_c, response_tail, waiting_tail
from twit.simulate.queues.histogram import value_at
from twit.simulate.queues.model import Rule
from twit.simulate.validate.closed_forms import (
    MS,
    SLOW,
    Mix,
    measured,
    retry_threshold,
    row,
    rung1,
    wait_mean,
    weighted_waits,
)

CLASSES = Mix((2 * MS, 10 * MS, 100 * MS), (0.0, 1.0, 0.5), (0.8, 0.17, 0.03))


@pytest.mark.slow
def test_every_closed_form_lies_in_its_interval():
    rows = rung1(seed=1, seconds=40.0)
    print(*(f"{r.name}: {r.predicted:.5g}, measured {r.measured:.5g} ({r.error:+.2%})" for r in rows), sep="\n")
    assert all(r.holds for r in rows), [r for r in rows if not r.holds]


@pytest.mark.parametrize(("mix", "rho"), [(Mix(), 0.7), (Mix(variation=(0.0,)), 0.7), (CLASSES, 0.6)], ids=["M/M/1", "M/D/1", "classes"])
def test_mean_waits_are_those_of_pollaczek_and_khinchine(mix, rho):
    traces, _ = measured(mix, rho, seconds=30 * mix.mean / MS)
    assert row("", wait_mean(mix, rho), weighted_waits(traces)).holds


def test_four_servers_wait_as_erlang_says():
    traces, _ = measured(Mix(), 0.8, servers=4, seconds=10)
    assert row("", erlang_c(4, 0.8) * MS / (4 * 0.2), weighted_waits(traces)).holds


@pytest.mark.parametrize("p", [0.2, 0.28])
@pytest.mark.parametrize("mix", [SLOW, CLASSES], ids=["one class", "three classes"])
def test_below_one_minus_rho_a_tier_recovers_from_a_spike_by_itself(p, mix):
    verdict = retry_threshold(p, mix=mix)
    assert verdict.recovered_s is not None
    assert not verdict.metastable


@pytest.mark.parametrize("mix", [SLOW, CLASSES], ids=["one class", "three classes"])
def test_above_one_minus_rho_it_never_does(mix):
    verdict = retry_threshold(0.32, mix=mix)
    assert verdict.metastable
    assert verdict.recovered_s is None


def test_if_nobody_does_abandoned_work_the_same_retries_are_harmless():
    assert retry_threshold(0.32, done=False).recovered_s < 30


def test_looking_at_windows_half_as_long_changes_nothing_but_chance():
    mix = Mix()
    whole, _ = measured(mix, 0.8, seconds=60, runs=32, window_us=100_000)
    halves, _ = measured(mix, 0.8, seconds=60, runs=32, window_us=50_000, seed=2)
    a, b = row("", 0.0, weighted_waits(whole)), row("", 0.0, weighted_waits(halves))
    assert a.low <= b.high
    assert b.low <= a.high


def test_bundles_of_calls_wait_as_calls_do_within_one_bundle():
    traces, _ = measured(Mix(), 0.9, seconds=100, runs=32, rule=Rule(closed_below=0.0, events_max=64))
    quantum = 0.1 * 0.9 / 64
    mean = row("", wait_mean(Mix(), 0.9), weighted_waits(traces))
    assert traces[0].shares["in bundles"] > 0.9
    assert mean.low - quantum <= mean.predicted <= mean.high + quantum


def test_the_closed_form_of_a_calm_server_is_what_looking_call_by_call_finds():
    mix = Mix((1 * MS, 4 * MS), (0.0, 0.5), (0.9, 0.1))
    calm, _ = measured(mix, 0.4, rule=Rule(closed_below=0.5), seconds=60, runs=16)
    exact, _ = measured(mix, 0.4, seconds=60, runs=16)
    assert calm[0].shares["closed form"] > 0.99
    assert calm[0].per_request < calm[0].closed
    for kind in (0, 1):
        for q in (0.5, 0.9, 0.99):
            ours, theirs = (value_at(t[0].responses[kind], q) for t in (calm, exact))
            assert ours == pytest.approx(theirs, rel=0.06), (kind, q)


def test_tails_of_the_closed_form_are_exact_for_exponential_work():
    x = np.array([0.0, 0.5, 1.0, 3.0, 10.0])
    rho = 0.4
    wait, square = rho / (1 - rho), 2 * rho / (1 - rho) ** 2
    assert waiting_tail(x, rho, wait, square) == pytest.approx(rho * np.exp(-x * (1 - rho)))
    assert response_tail(x, rho, wait, square, 1.0, 1.0) == pytest.approx(np.exp(-x * (1 - rho)))
