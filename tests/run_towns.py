"""A small fleet for a small population, and its day counted once, for scenarios to be played over."""

from __future__ import annotations

from pathlib import Path

from twit.scenarios.loader import load_scenario
from twit.simulate.run.deliveries import extra_pushes
from twit.simulate.run.engine import Engine, Played
from twit.simulate.run.prepare import Prepared, prepare
from twit.simulate.run.scenario import Scenario

USERS = 20_000
FLEET = """name = "town"
[redis]
instance = "r6g.4xlarge"
nodes = 4
copies = 1
instance_gb = 60
[cassandra]
instance = "i4i.2xlarge"
nodes = {cassandra}
{more}
[mysql]
instance = "i4i.4xlarge"
nodes = 4
shards = 4
copies = 1
[kafka]
instance = "i4i.4xlarge"
nodes = 3
partitions = 8
[gateway]
instance = "c6i.4xlarge"
nodes = 2
"""


def fleet(folder: Path, name: str = "town", cassandra: int = 3, more: str = "") -> str:
    """The path of such a fleet."""
    path = folder / f"{name}.toml"
    path.write_text(FLEET.format(cassandra=cassandra, more=more))
    return str(path)


def short_of_disk(folder: Path) -> str:
    """The same, with disks on which Cassandra's tweets do not fit."""
    return fleet(folder, "short", more="node_tib = 0.01\nyears = 100")


def scenario(name: str, fleet_file: str, **changes: object) -> Scenario:
    """A built-in scenario on a fleet; changes with `__` for a dot."""
    given = {key.replace("__", "."): value for key, value in changes.items()}
    return load_scenario(name, {"population.users": USERS, "fleet.file": fleet_file, **given})


def prepared(fleet_file: str, work: str = "design") -> Prepared:
    """The day of that population, to be played by many scenarios."""
    return prepare(scenario("steady", fleet_file), workers=1, work=work, keep=False)


def played(town: Prepared, one: Scenario, workers: int = 1) -> Played:
    """The scenario over that day."""
    pushed = [extra_pushes(town._replace(scenario=one), event) for event in one.events]
    engine = Engine(
        one, town.loads, town.theta, town.people, town.day.widths.mean_by_reads, workers=workers,
        more=lambda minute: [extra for some in pushed for extra in some.get(minute, [])],
    )  # fmt: skip
    return engine.play()
