"""simulate: the table of what can be asked of the simulated world. Each lives in a file of its own and is imported when it is called."""

from __future__ import annotations

from .command import Entry, LazyGroup

SIZE, PEOPLE = "Sizing", "The world"

simulate = LazyGroup(
    "simulate",
    entries={
        "estimate": Entry(SIZE, ".simulate_estimate", "estimate", "Compute the numbers of the system design afresh, each with a verdict and why."),
        "plan": Entry(SIZE, ".simulate_plan", "plan", "Plan nodes of each kind and say how sure; exit 4 if something does not hold."),
        "fleet": Entry(SIZE, ".simulate_fleet", "fleet", "The machines: show a fleet, compare two, check that one holds the load."),
        "run": Entry(PEOPLE, ".simulate_run", "run", "Play a scenario on a population and say whether the fleet holds; exit 4 if it does not."),
        "calibrate": Entry(SIZE, ".simulate_calibrate", "calibrate", "Measure work by kind in one's own stores, as intervals."),
        "validate": Entry(PEOPLE, ".simulate_validate", "validate", "Hold the simulator against what is known, rung by rung; exit 4 if a rung does not hold."),
        "population": Entry(PEOPLE, ".simulate_population", "population", "The people of the simulated world: parameters, statistics, persons."),
    },
    help="Plan capacity: the arithmetic, the population, the day.",
    examples=("twit simulate estimate", "twit simulate population stats --users 500M", "twit simulate population @u123456789"),
)
