"""The whole core against the naive model, over random sequences of everything people and machines do.

Hypothesis looks for a short sequence that breaks it; seeded walks go far, through worlds that short sequences never reach.
"""

from __future__ import annotations

import random

import builders
import pytest
from hypothesis import HealthCheck, settings
from machine import PEOPLE, Service
from walks import take

EMBEDDED = builders.opened is builders.open_embedded
EXAMPLES, WALKS, STEPS = (25, 8, 300) if EMBEDDED else (3, 2, 150)  # other worlds take their time

TestService = Service.TestCase
TestService.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)

MOVES = {
    "follow": 10,
    "unfollow": 3,
    "fame_comes_or_goes": 2,
    "relate": 3,
    "set_private": 2,
    "answer_request": 2,
    "leave": 2,
    "post": 12,
    "reply": 10,
    "quote": 2,
    "retweet": 8,
    "delete": 4,
    "like": 3,
    "time_passes": 1,
    "timelines_are_lost": 2,
    "a_worker_comes_and_goes": 14,
    "the_cache_fails_while_posting": 1,
    "the_cache_is_away": 3,
    "nobody_sees_what_he_must_not_and_everybody_sees_his_own": 10,
    "after_a_drain_everything_is_the_models": 3,
}


@pytest.mark.parametrize("seed", range(WALKS))
def test_a_long_walk(seed):
    chance = random.Random(seed)
    machine = Service()
    try:
        machine.people_come(follows=people_pairs(chance), famous=set(), authors=[])
        for _ in range(STEPS):
            (move,) = chance.choices(list(MOVES), MOVES.values())
            take(machine, move, chance)
        machine.after_a_drain_everything_is_the_models(2)
        machine.no_event_was_parked()
    finally:
        machine.close()


def people_pairs(chance):
    """Somewhat fewer than half of all possible follows."""
    everybody = range(1, PEOPLE + 1)
    return {(a, b) for a in everybody for b in everybody if chance.random() < 0.4}
