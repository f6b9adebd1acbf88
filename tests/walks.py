"""Seeded walks of the machine: each step with arguments as they are common in life."""

from __future__ import annotations

from machine import PEOPLE


def take(machine, move, chance):
    """One step, with arguments as they are common in life."""
    someone, other = chance.randint(1, PEOPLE), chance.randint(1, PEOPLE)
    recent = int(chance.expovariate(0.2))
    yes = chance.random() < 0.5
    model = machine.reference
    if not model.posts and move in ("reply", "quote", "retweet", "delete", "like"):
        return
    if not model.requests and move == "answer_request":
        return
    arguments = {
        "follow": lambda: (someone, other, chance.random() < 0.8),
        "unfollow": lambda: (someone, other),
        "fame_comes_or_goes": lambda: (someone, other, chance.random() < 0.6, yes, chance.randint(0, 9)),
        "relate": lambda: (someone, other, chance.choice(("block", "unblock", "unblock", "mute", "unmute"))),
        "set_private": lambda: (someone, chance.random() < 0.3),
        "answer_request": lambda: (recent, chance.random() < 0.7),
        "leave": lambda: (someone, yes, chance.random() < 0.5, chance.random() < 0.8),
        "post": lambda: (someone, chance.choice((1, 1, 1, 4, 9)), {other} if chance.random() < 0.4 else set()),
        "reply": lambda: (someone, recent),
        "quote": lambda: (someone, recent),
        "retweet": lambda: (someone, recent, chance.random() < 0.3),
        "delete": lambda: (recent, chance.random() < 0.8, other),
        "like": lambda: (someone, recent, yes),
        "time_passes": lambda: (chance.choice((0.1, 1, 7.1)),),
        "timelines_are_lost": lambda: ({someone, other},),
        "a_worker_comes_and_goes": lambda: (chance.choice(("social", "fanout")), chance.randint(1, 4), chance.random() < 0.3),
        "the_cache_fails_while_posting": lambda: (someone,),
        "the_cache_is_away": lambda: (someone, chance.choice((1, 2, 3, 5, 50)), chance.choice((0, 0, 1, 2, 3))),
        "nobody_sees_what_he_must_not_and_everybody_sees_his_own": lambda: (someone, chance.choice((1, 2, 3, 5, 50))),
        "after_a_drain_everything_is_the_models": lambda: (chance.choice((1, 2, 3, 5, 50)),),
    }
    if move in ("leave", "time_passes"):  # whoever left comes back now and then, or the world would empty
        for user in sorted(set(machine.left_ms) - machine.erased):
            machine.log_in(user)
    getattr(machine, move)(*arguments[move]())
