"""Parameters of a population: intervals with source and date, from TOML, each checked where it stands.

A file is refused with its line for an unknown key, a value out of bounds, an interval that does not hold its value, and
for parameters that contradict each other. Nothing here computes a population.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import msgspec

from ...core.errors import Invalid
from ...core.settings_file import Setting, read_file
from .param_keys import KEYS, PROVINCES_MAX, REGION_KEYS, Key, key_of

PRESETS = ("design", "twitter-2013", "twitter-2014")
FIELDS = ("value", "low", "high", "source", "date")
USERS_MIN, USERS_MAX = 1_000, 2_000_000_000


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """A number, how far off it may be, and who says so. `where` is the line that sets it."""

    value: float
    low: float
    high: float
    source: str
    date: str
    where: str


class Region(msgspec.Struct, frozen=True):
    """A part of the world with a clock of its own."""

    name: str
    provinces: int
    share: float  # of accounts
    utc_offset: float


class Params(msgspec.Struct, frozen=True, kw_only=True):
    """Every parameter by its dotted name, and the regions in order of their numbers."""

    preset: str
    intervals: dict[str, Interval]
    regions: tuple[Region, ...]

    def __getitem__(self, name: str) -> float:
        return self.intervals[name].value

    def rows(self) -> Iterator[tuple[str, Interval, Key]]:
        """All of them, as a planner reads them: name, interval, what it is."""
        for name, one in self.intervals.items():
            key = key_of(name)
            if key is not None:
                yield name, one, key

    @property
    def monthly_share(self) -> float:
        """Of accounts."""
        return self["accounts.monthly"] / self["accounts.total"]

    @property
    def weekly_share(self) -> float:
        """Of accounts: who has a cached timeline."""
        return self["accounts.weekly"] / self["accounts.total"]

    @property
    def daily_share(self) -> float:
        """Of accounts, expected on a day."""
        return self["accounts.daily"] / self["accounts.total"]

    @property
    def tweets_per_account(self) -> float:
        """A day."""
        return self["load.tweets_per_day"] / self["accounts.total"]

    @property
    def reads_per_account(self) -> float:
        """A day."""
        return self["load.reads_per_day"] / self["accounts.total"]


def load_params(preset: str = "design", overrides: Mapping[str, object] | None = None) -> Params:
    """A preset by name, or a TOML file (over the preset that its `base` names, else `design`), then the overrides:
    dotted name → number, or a table like those of the files. Raises `Invalid`."""
    found = _preset(preset)
    for name, value in (overrides or {}).items():
        fields = value if isinstance(value, Mapping) else {"value": value, "source": "given for this run"}
        found.update(_intervals({f"{name}.{field}": Setting(one, f"override {name}") for field, one in fields.items()}))
    return _checked(preset, found)


def check_users(users: int) -> None:
    """Raises `Invalid` for a population that cannot be."""
    if not USERS_MIN <= users <= USERS_MAX:
        what = f"a population of {users:,} users"
        raise Invalid(what, field="users", meaning=f"allowed are {USERS_MIN:,} to {USERS_MAX:,}")


def _preset(preset: str) -> dict[str, Interval]:
    if preset in PRESETS:
        path = Path(__file__).parent / "presets" / f"{preset}.toml"
        return _intervals(read_file(path, f"presets/{preset}.toml"))
    path = Path(preset)
    if path.suffix != ".toml":
        what = f"no preset {preset!r}"
        raise Invalid(what, field="preset", meaning=f"there are {', '.join(PRESETS)}; or the path of a .toml file")
    if not path.is_file():
        what = f"there is no file {preset}"
        raise Invalid(what, field="preset")
    settings = read_file(path, preset)
    base = settings.pop("base", Setting("design", f"{preset}:1"))
    if base.value not in PRESETS:
        raise _refused(base.source, f"base is {base.value!r}", f"one of {', '.join(PRESETS)}")
    return _preset(str(base.value)) | _intervals(settings)


def _intervals(settings: Mapping[str, Setting]) -> dict[str, Interval]:
    """`section.name` → interval, from `section.name.value`, `.low` … A bare number is an interval of one point."""
    fields: dict[str, dict[str, Setting]] = {}
    for dotted, setting in settings.items():
        name, _, field = dotted.rpartition(".")
        if key_of(dotted) is not None:
            name, field = dotted, "value"
        if key_of(name) is None:
            raise _unknown(dotted, setting.source)
        if field not in FIELDS:
            raise _refused(setting.source, f"{name} has no field {field!r}", f"its fields are {', '.join(FIELDS)}")
        fields.setdefault(name, {})[field] = setting
    return {name: _interval(name, given) for name, given in fields.items()}


def _interval(name: str, given: Mapping[str, Setting]) -> Interval:
    key = key_of(name)
    where = next(iter(given.values())).source
    if key is None or "value" not in given:
        raise _refused(where, f"{name} has no value", 'write { value = …, low = …, high = …, source = "…", date = "…" }')
    numbers = {field: _number(name, key, given[field]) for field in ("value", "low", "high") if field in given}
    value = numbers["value"]
    low, high = numbers.get("low", value), numbers.get("high", value)
    if not low <= value <= high:
        raise _refused(where, f"{name}: {value:g} is not within its interval {low:g} to {high:g}", "low <= value <= high")
    source, date = (str(given[field].value) if field in given else "" for field in ("source", "date"))
    return Interval(value=value, low=low, high=high, source=source, date=date, where=where)


def _number(name: str, key: Key, setting: Setting) -> float:
    number = setting.value
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise _refused(setting.source, f"{name} is {number!r}, which is not a number", f"{_range(key)}")
    if not key.low <= number <= key.high:
        raise _refused(setting.source, f"{name} is {number:g}", f"allowed are {_range(key)}: {key.what}")
    return float(number)


def _checked(preset: str, found: Mapping[str, Interval]) -> Params:
    """All there, in the order of the catalogue, and not against each other."""
    missing = [name for name in KEYS if name not in found]
    if missing:
        raise _refused(preset, f"{missing[0]} is not set", "a file over a preset may leave parameters out; a preset may not")
    ordered = {name: found[name] for name in KEYS} | {name: one for name, one in found.items() if name not in KEYS}
    params = Params(preset=preset, intervals=ordered, regions=_regions(found))
    _people(ordered)
    _head(ordered)
    kinds = [ordered[f"tweets.{kind}"] for kind in ("replies", "retweets", "quotes")]
    if sum(kind.value for kind in kinds) > 1:
        raise _refused(kinds[0].where, "replies, retweets and quotes are more than all tweets", "together at most 1")
    if ordered["activity.saturates_from"].value >= ordered["activity.saturates_at"].value:
        raise _refused(ordered["activity.saturates_at"].where, "activity.saturates_at is not above saturates_from", "from < at")
    if ordered["accounts.first_year"].value >= ordered["accounts.last_year"].value:
        raise _refused(ordered["accounts.last_year"].where, "accounts.last_year is not after first_year", "first < last")
    if ordered["clock.stress_peak"].value < ordered["clock.peak"].value:
        raise _refused(ordered["clock.stress_peak"].where, "clock.stress_peak is below clock.peak", "at least the ordinary peak")
    return params


def _people(found: Mapping[str, Interval]) -> None:
    names = ("accounts.total", "accounts.monthly", "accounts.weekly", "accounts.daily")
    for more, fewer in pairwise(names):
        if found[fewer].value > found[more].value:
            what = f"{fewer} is {found[fewer].value:,.0f}, more than {more} with {found[more].value:,.0f}"
            raise _refused(found[fewer].where, what, "accounts >= monthly >= weekly >= daily")
    if found["graph.mean_following"].value >= found["accounts.total"].value:
        raise _refused(found["graph.mean_following"].where, "more followees than accounts", "graph.mean_following < accounts.total")


def _head(found: Mapping[str, Interval]) -> None:
    top, total = found["graph.top_followers"], found["accounts.total"].value
    if top.value >= total / 2:
        what = f"graph.top_followers is {top.value:,.0f}: the head exceeds the population of {total:,.0f} accounts"
        raise _refused(top.where, what, "below half of accounts.total")


def _regions(found: Mapping[str, Interval]) -> tuple[Region, ...]:
    names = list(dict.fromkeys(name.split(".")[1] for name in found if name.startswith("regions.")))
    where = next((one.where for name, one in found.items() if name.startswith("regions.")), "regions")
    if not names:
        raise _refused(where, "no regions", "at least one")
    for name in names:
        for field in REGION_KEYS:
            if f"regions.{name}.{field}" not in found:
                raise _refused(where, f"regions.{name} has no {field}", f"it needs {' and '.join(REGION_KEYS)}")
    counts = [found[f"regions.{name}.provinces"].value for name in names]
    total = sum(counts)
    if total > PROVINCES_MAX or any(count % 1 for count in counts):
        raise _refused(where, f"the regions have {total:g} provinces", f"whole numbers, together at most {PROVINCES_MAX}")
    offsets = [found[f"regions.{name}.utc_offset"].value for name in names]
    return tuple(Region(*one) for one in zip(names, map(int, counts), (c / total for c in counts), offsets, strict=True))


def _unknown(dotted: str, where: str) -> Invalid:
    known = [*KEYS, *(f"regions.NAME.{field}" for field in REGION_KEYS)]
    stem = dotted.rpartition(".")[0] if dotted.rpartition(".")[2] in FIELDS else dotted
    near = difflib.get_close_matches(stem, known, n=1)
    meant = f"did you mean {near[0]}?" if near else f"sections are {', '.join(dict.fromkeys(k.split('.')[0] for k in known))}"
    return _refused(where, f"unknown parameter {stem}", meant)


def _refused(where: str, what: str, allowed: str) -> Invalid:
    return Invalid(f"{where}: {what}", field=where, code="PARAMETER", meaning=allowed, try_="twit simulate population show")


def _range(key: Key) -> str:
    return f"{key.low:g} to {key.high:g} {key.unit}"
