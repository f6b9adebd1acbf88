"""An event-by-event simulation of one shard and its callers, in SimPy: shares nothing with the queues but the scenario's words."""

import random

import numpy as np
import simpy

from twit.simulate.validate.events import Outcome, Scenario, recorded


class Shard:
    """c servers before one queue; a pause interrupts them, and they go on after it where they were."""

    def __init__(self, env, scenario, rng):
        self.env, self.scenario, self.rng = env, scenario, rng
        self.queue = simpy.Store(env)
        self.pause, self.resume, self.paused = env.event(), env.event(), False
        for _ in range(scenario.servers):
            env.process(self.serve())
        env.process(self.pauses())

    def pauses(self):
        period = 0
        every, length = self.scenario.stall_every_s, self.scenario.stall_for_s
        while True:
            at = max((period + self.rng.random()) * every, self.env.now)
            yield self.env.timeout(at - self.env.now)
            self.paused, begun = True, self.pause
            self.pause = self.env.event()
            begun.succeed()
            yield self.env.timeout(length)
            self.paused, over = False, self.resume
            self.resume = self.env.event()
            over.succeed()
            period += 1

    def serve(self):
        while True:
            work, done = yield self.queue.get()
            while work > 1e-12:
                if self.paused:
                    yield self.resume
                since = self.env.now
                yield self.env.timeout(work) | self.pause
                work -= self.env.now - since
            done.succeed()


class Callers:
    """Who calls, gives up and comes back."""

    def __init__(self, env, shard, scenario, rng):
        self.env, self.shard, self.scenario, self.rng = env, shard, scenario, rng
        self.responses, self.attempts, self.timed_out, self.retried = [], 0, 0, 0
        for kind, rate in enumerate(scenario.rates):
            env.process(self.arrive(kind, rate))

    def arrive(self, kind, rate):
        while True:
            yield self.env.timeout(self.rng.expovariate(rate))
            self.env.process(self.call(kind))

    def call(self, kind):
        s = self.scenario
        while True:
            began, done = self.env.now, self.env.event()
            work = s.means[kind] if s.variation[kind] == 0.0 else self.rng.expovariate(1 / s.means[kind])
            self.attempts += 1
            self.shard.queue.put((work, done))
            yield done | self.env.timeout(s.timeout_s)
            self.responses.append(min(self.env.now - began, s.timeout_s))
            if done.processed or self.env.now - began < s.timeout_s:
                return
            self.timed_out += 1
            if self.rng.random() >= s.retry_p:
                return
            yield self.env.timeout(s.backoff_s * (1 + self.rng.random()))
            self.retried += 1


def by_events(scenario: Scenario, seed: int) -> Outcome:
    env, rng = simpy.Environment(), random.Random(seed)
    callers = Callers(env, Shard(env, scenario, rng), scenario, rng)
    env.run(scenario.seconds)
    return recorded(np.array(callers.responses), callers.attempts, callers.timed_out, callers.retried)
