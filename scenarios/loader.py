"""Reads scenarios from TOML, with settings of a command line over them; refuses with the line what cannot be.

Built-in ones lie beside this file; any other is named by its path. It knows what may stand in a file and nothing of how it
is played.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from ..core.errors import Invalid
from ..core.settings_file import Setting, read_file
from ..simulate.quantities import seconds_of
from ..simulate.run.scenario import Amount, Delivery, Event, Happening, Lists, Rule, Scenario
from .keys import AMOUNTS, DEFAULTS, KEYS, METRICS, TIERS, Key, one_of

HERE = Path(__file__).parent
INTERVAL = ("value", "low", "high", "source", "date")
RENAMED = {"lists_ttl": "lists_ttl_s", "jitter": "jitter_s", "shed_wait": "shed_wait_s"}
Settings = dict[str, Setting]
NOBODY = Amount(0, 0, 0)


def names() -> list[str]:
    """The scenarios that come with twit."""
    return sorted(path.stem for path in HERE.glob("*.toml"))


def load_scenario(name: str, changes: Mapping[str, object] | None = None) -> Scenario:
    """A built-in scenario by name, or a file, with `changes` (dotted key → value) over it. Raises `Invalid`."""
    settings = _file(name)
    replaced = tuple(f"{key}." for key in changes or {})
    settings = {key: setting for key, setting in settings.items() if not key.startswith(replaced)} if replaced else settings
    settings.update({key: Setting(value, f"--set {key}") for key, value in (changes or {}).items()})
    return _scenario(Path(name).stem, settings)


def varied(name: str, changes: Mapping[str, object], variant: str) -> Scenario:
    """The scenario as one of its variants plays it."""
    base = load_scenario(name, changes)
    return load_scenario(name, {**changes, **base.variants[variant]})


def _file(name: str) -> Settings:
    if name in names():
        return read_file(HERE / f"{name}.toml", f"scenarios/{name}.toml")
    path = Path(name)
    if path.suffix != ".toml":
        raise Invalid(f"no scenario {name!r}", field="scenario", meaning=f"there are {', '.join(names())}; or the path of a .toml file")
    if not path.is_file():
        raise Invalid(f"there is no file {name}", field="scenario")
    return read_file(path, name)


def _scenario(name: str, settings: Settings) -> Scenario:
    plain: dict[str, Any] = {}
    population: dict[str, float] = {}
    groups: dict[str, dict[str, Settings]] = {"events": {}, "variants": {}}
    slo: dict[str, float] = {}
    growth: Settings = {}
    for key, setting in settings.items():
        head, _, rest = key.partition(".")
        match head:
            case "events" | "variants":
                one, _, field = rest.partition(".")
                groups[head].setdefault(one, {})[field] = setting
            case "growth" if rest.startswith("per_year"):
                growth[rest.removeprefix("per_year").removeprefix(".")] = setting
            case "slo":
                slo[rest] = _promise(setting, rest)
            case "population" if key not in KEYS:
                population[rest] = setting.value  # type: ignore[assignment]  # the population checks its own
            case _:
                plain[key] = _read(setting, _key(setting, key), key)
    events = tuple(_event(name, found) for name, found in groups["events"].items())
    variants = {name: {key: setting.value for key, setting in found.items()} for name, found in groups["variants"].items()}
    made = Scenario(
        name=name, title=plain.get("title", ""), question=plain.get("question", ""), population=population, slo=slo, events=events,
        variants=variants, rule=_rule(plain), growth_per_year=_amount("growth.per_year", KEYS["growth.per_year"], growth) if growth else None,
        **{field: kind(plain[key]) for key, (field, kind) in FIELDS.items() if key in plain},
    )  # fmt: skip
    for event in events:
        _check_event(event, made, settings)
    return made


def _check_event(event: Event, scenario: Scenario, settings: Settings) -> None:
    """Refuse what cannot happen in this scenario."""
    if event.at_s >= scenario.duration_s:
        where = settings.get(f"events.{event.name}.at", Setting(0, "events"))
        _refuse(where, f"events.{event.name}.at", f"it happens {event.at_s:g} s in; the run plays {scenario.duration_s:g} s")
    if event.amounts.get("followers", NOBODY).value > scenario.users:
        key = f"events.{event.name}.followers"
        where = settings.get(key) or settings.get(f"{key}.value") or Setting(0, "built-in")
        _refuse(where, key, f"{event['followers']:,.0f} are more than the {scenario.users:,} accounts there are")


def _key(setting: Setting, name: str) -> Key:
    return KEYS[name] if name in KEYS else _unknown(setting, name, list(KEYS))


def _promise(setting: Setting, metric: str) -> float:
    if metric not in METRICS:
        _unknown(setting, f"slo.{metric}", [f"slo.{one}" for one in METRICS])
    return float(_read(setting, METRIC, f"slo.{metric}"))


METRIC = Key(lambda value: float(value) if isinstance(value, int | float) else seconds_of(value), "a limit", 0)
FIELDS: dict[str, tuple[str, Any]] = {
    "run.start": ("start_s", float), "run.duration": ("duration_s", float), "run.mode": ("mode", str), "run.seed": ("seed", int),
    "population.users": ("users", int), "population.preset": ("preset", str), "fleet.file": ("fleet", str),
    "growth.horizon": ("horizon_s", float),
}  # fmt: skip


def _rule(plain: Mapping[str, Any]) -> Rule:
    given = {key.removeprefix("rule."): value for key, value in plain.items() if key.startswith("rule.")}
    words = {"lists": Lists, "delivery": Delivery, "layout": str, "single_flight": bool}
    kinds = words | dict.fromkeys(("lists_ttl", "jitter", "inactive_after_days", "retry_share", "retry_budget", "shed_wait"), float)
    return Rule(**{RENAMED.get(name, name): kinds.get(name, int)(value) for name, value in given.items()})


def _event(name: str, found: Settings) -> Event:
    where = next(iter(found.values()))
    if "kind" not in found:
        _refuse(where, f"events.{name}", f"it has no kind: one of {', '.join(Happening)}")
    kind = Happening(str(_read(found["kind"], Key(one_of(*Happening), ""), f"events.{name}.kind")))
    at = float(str(_read(found.get("at", Setting(0, "built-in")), Key(seconds_of, "", 0), f"events.{name}.at")))
    tier = str(_read(found.get("tier", Setting("redis", "built-in")), Key(one_of(*TIERS), ""), f"events.{name}.tier"))
    given: dict[str, Settings] = {field: {"": Setting(value, "built-in")} for field, value in DEFAULTS[kind].items()}
    for field in {field.partition(".")[0] for field in found if field not in {"kind", "at", "tier"}}:
        given[field] = {}
    for field, setting in found.items():
        head, _, part = field.partition(".")
        if field in {"kind", "at", "tier"}:
            continue
        if head not in AMOUNTS[kind]:
            _unknown(setting, f"events.{name}.{head}", [f"events.{name}.{one}" for one in ("kind", "at", "tier", *AMOUNTS[kind])])
        given[head][part] = setting
    amounts = {field: _amount(f"events.{name}.{field}", AMOUNTS[kind][field], parts) for field, parts in sorted(given.items())}
    return Event(name=name, kind=kind, at_s=at, amounts=amounts, tier=tier)


def _amount(name: str, key: Key, parts: Settings) -> Amount:
    """A bare number, or an interval with who says so."""
    where = next(iter(parts.values()))
    for part, setting in parts.items():
        if part and part not in INTERVAL:
            _unknown(setting, f"{name}.{part}", [f"{name}.{one}" for one in INTERVAL])
    value = parts.get("value") or parts.get("") or _refuse(where, name, "it has no value")
    middle = float(str(_read(value, key, name)))
    numbers = {part: float(str(_read(parts.get(part, value), key, f"{name}.{part}"))) for part in ("low", "high")}
    if not numbers["low"] <= middle <= numbers["high"]:
        _refuse(where, name, f"{middle:g} is not within its interval {numbers['low']:g} to {numbers['high']:g}")
    source, date = (str(parts[part].value) if part in parts else "" for part in ("source", "date"))
    return Amount(middle, numbers["low"], numbers["high"], source, date)


def _read(setting: Setting, key: Key, name: str) -> Any:
    try:
        value = key.read(setting.value)
    except ValueError as error:
        _refuse(setting, name, str(error))
    if isinstance(value, float) and not key.low <= value <= key.high:
        _refuse(setting, name, f"{value:g} is not within {key.low:g} to {key.high:g}")
    return value


def _unknown(setting: Setting, name: str, known: list[str]) -> NoReturn:
    near = difflib.get_close_matches(name, known, 3)
    raise Invalid(f"{setting.source}: there is no {name}", field=name, meaning=f"near it: {', '.join(near)}" if near else f"there are {', '.join(known)}")


def _refuse(setting: Setting, name: str, why: str) -> NoReturn:
    raise Invalid(f"{setting.source}: {name}: {why}", field=name)


def described() -> Iterator[tuple[str, str]]:
    """Every key and what it is, for help and docs."""
    yield from ((name, key.about) for name, key in KEYS.items())
    yield from ((f"slo.{name}", about) for name, about in METRICS.items())
    for kind, amounts in AMOUNTS.items():
        yield from ((f"events.NAME.{name} ({kind})", key.about) for name, key in amounts.items())
