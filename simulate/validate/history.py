"""Rung 5: what was published of Twitter in 2013 and 2014, predicted from the presets of those years.

Figures, bounds and assumptions are in `history.toml`, which was committed before anything was compared. What misses its bound
stays in the table with its reason; a figure that the preset was made from is marked, and proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np

from ..fleet.fleet import GB, Redis
from ..fleet.loads import DAY_S
from ..fleet.memory import Layout, encoding_of, held, timeline_bytes
from ..fleet.surrogate import PUSH_US
from ..fleet.worlds import middle as middle_world
from ..fleet.worlds import read_inputs
from ..kinds import Kind
from ..population import measures
from ..population.measures import Crowd
from ..population.people import Population, open_population
from ..queues.kafka import Consumers, deliver
from ..work import middle, open_work, work

FILE = Path(__file__).with_suffix(".toml")
PAGE, ENTRY = 50, 16  # entries that a home read takes, and their bytes


class Published(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One figure of the file, and how near the prediction must come."""

    preset: str
    figure: str
    unit: str
    published: float
    bound: float
    source: str
    calibrated: bool = False
    assumes: str = ""
    why: str = ""  # why it misses its bound, where it does


class Era(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of how the timelines of a year were kept."""

    copies: int
    commands: int
    layout: Layout
    push: str
    entries: int


class History(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file."""

    users: int
    sample: int
    seed: int
    eras: Mapping[str, Era]
    figures: tuple[Published, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, predicted and published."""

    preset: str
    figure: str
    unit: str
    predicted: float
    published: float
    bound: float
    calibrated: bool
    source: str
    assumes: str
    why: str

    @property
    def ratio(self) -> float:
        """Predicted over published."""
        return self.predicted / self.published

    @property
    def within(self) -> bool:
        """Whether the ratio keeps its bound."""
        return 1 / self.bound <= self.ratio <= self.bound


def read_history(path: Path = FILE) -> History:
    """The figures, the bounds and what is assumed."""
    found = msgspec.toml.decode(path.read_bytes())
    eras = {key: found.pop(key) for key in list(found) if key.startswith("twitter-")}
    return msgspec.convert(found | {"eras": eras}, History)


def compare(history: History | None = None) -> list[Row]:
    """Every figure of the file."""
    history = history or read_history()
    years = {preset: Year(preset, era, history) for preset, era in history.eras.items()}
    return [
        Row(
            preset=one.preset, figure=one.figure, unit=one.unit, predicted=years[one.preset].predicted(one.figure), published=one.published,
            bound=one.bound, calibrated=one.calibrated, source=one.source, assumes=one.assumes, why=one.why,
        )
        for one in history.figures
    ]  # fmt: skip


class Year:
    """The people of a preset, and the machines of that year as far as they are known."""

    def __init__(self, preset: str, era: Era, history: History) -> None:
        self._era = era
        self._sample = history.sample
        self._people: Population = open_population(history.users, history.seed, preset)
        self._scale = self._people.params["accounts.total"] / self._people.graph.users
        self._redis = Redis(instance="", copies=era.copies, layout=era.layout, push=era.push, entries=era.entries)
        self._encoding = encoding_of(era.layout, era.entries, self._redis.listpack_entries_max)

    def predicted(self, figure: str) -> float:
        """By the figure's name."""
        return PREDICTIONS[figure](self)

    def tweets_a_day(self) -> float:
        """Of all accounts."""
        return self._scale * self._crowd.total(self._crowd.column(measures.TWEETS))

    def reads_a_second(self) -> float:
        """Home timelines, the mean of a day."""
        return self._scale * self._crowd.total(self._crowd.column(measures.READS)) / DAY_S

    def deliveries_a_day(self) -> float:
        """Each tweet to those of its author's followers who have a row: residency does not depend on whom one follows."""
        crowd = self._crowd
        return self._scale * crowd.total(crowd.column(measures.TWEETS) * crowd.column(measures.FOLLOWERS)) * self._resident

    def seconds_to_the_last(self) -> float:
        """Until the last follower of the most followed account has its tweet."""
        graph = self._people.graph
        followers = float(graph.in_degree([graph.celebrity_by_rank(0)])[0]) * self._scale
        writes = round(followers * self._resident * self._era.copies)
        alone = deliver(np.zeros(1), np.ones(1, np.int64), np.array([writes]), Consumers(delivery_s=self._push_s, ranges=False))
        return float(alone.last_s[0])

    def bytes_allocated(self) -> float:
        """Memory of instances that are filled as far as the planner fills them."""
        world = middle_world(read_inputs(), open_work())
        entries = float(self._era.entries)
        one = timeline_bytes(world[f"{self._encoding}_bytes"], entries)
        rows = self._people.params["accounts.total"] * self._resident
        memory = held(rows, one, entries, 0.0, fragmentation=world["fragmentation"], copies=self._era.copies, cow=world["copy_on_write"])
        return float(memory.arrays()["total"][0]) / self._redis.fill

    def operations_a_second(self) -> float:
        """In the busiest hour."""
        writes = self.deliveries_a_day() / DAY_S * self._era.copies * self._era.commands
        return (writes + self.reads_a_second()) * self._people.clock.peak

    def instances(self) -> float:
        """As many as memory or processor asks for: one core an instance."""
        read_s = work(Kind.HOME_IDS, PAGE, PAGE * ENTRY, middle(open_work()))
        busy = self.reads_a_second() * read_s + self.deliveries_a_day() / DAY_S * self._era.copies * self._push_s
        by_processor = busy * self._people.clock.peak / self._redis.rho_max
        by_memory = self.bytes_allocated() / (self._redis.instance_gb * GB)
        return float(np.ceil(max(by_processor, by_memory)))

    @cached_property
    def _crowd(self) -> Crowd:
        return measures.crowd(self._people, self._sample)

    @property
    def _resident(self) -> float:
        return self._crowd.mean(self._crowd.column(measures.RESIDENT))

    @property
    def _push_s(self) -> float:
        return PUSH_US[self._era.push, self._encoding].value * 1e-6


PREDICTIONS = {
    "tweets a day": Year.tweets_a_day,
    "home reads a second": Year.reads_a_second,
    "deliveries a day": Year.deliveries_a_day,
    "last of 31M followers reached": Year.seconds_to_the_last,
    "timeline memory allocated": Year.bytes_allocated,
    "timeline operations a second": Year.operations_a_second,
    "timeline instances": Year.instances,
}
