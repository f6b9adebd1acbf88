"""Rung 2: the queues against an independent simulation, event by event."""

import pytest
from simpy_reference import by_events

from twit.simulate.validate.events import Outcome, Scenario, compared, simulated

PLAIN = Scenario(seconds=300.0)


def together(scenario, seeds):
    runs = [by_events(scenario, seed) for seed in seeds]
    return Outcome(*(sum(getattr(run, name) for run in runs) for name in ("responses", "attempts", "timed_out", "retried")))


@pytest.mark.slow
@pytest.mark.parametrize("scenario", [
    Scenario(seconds=600.0),
    Scenario(seconds=600.0, servers=1, rates=(40.0, 2.0), stall_every_s=15.0, stall_for_s=0.6),
    Scenario(seconds=600.0, servers=4, rates=(200.0, 15.0), retry_p=0.2, timeout_s=0.3),
], ids=["two servers", "one server, long stalls", "four servers, short patience"])  # fmt: skip
def test_waits_agree_with_a_simulation_event_by_event(scenario):
    rows = compared(simulated(scenario, seed=11, shards=24), together(scenario, (1, 2, 3)))
    print(*(f"{row.name}: {row.ours:.5g} / {row.theirs:.5g}" for row in rows), sep="; ")
    assert all(row.holds for row in rows), [row for row in rows if not row.holds]


def test_a_comparison_notices_a_store_that_is_a_fifth_slower():
    slower = Scenario(seconds=300.0, means=(0.0096, 0.060))
    assert not all(row.holds for row in compared(simulated(PLAIN, 1), simulated(slower, 2)))
