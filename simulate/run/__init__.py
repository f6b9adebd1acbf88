"""A simulated run: population, day, queues and core in lockstep, from a scenario to a verdict."""
