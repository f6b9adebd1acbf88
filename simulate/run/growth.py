"""Until when a fleet holds, if people and load grow by so much a year: by tier, in closed form fed with the run's counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ..day.rule import NEW_YEAR_MS
from ..fleet.fleet import TIERS
from ..fleet.plan import YEARS_MAX, Planned, lasts
from ..kinds import Tier
from ..verdict_schema import Ends, Growth
from .prepare import Prepared

YEAR_S = 365.25 * 86_400


def growth(prepared: Prepared, planned: Planned) -> Growth | None:
    """Of the tiers that the fleet names and that can be sized. Nothing where the scenario does not grow."""
    asked = prepared.scenario.growth_per_year
    if asked is None:
        return None
    named = [tier for tier in map(Tier, TIERS) if getattr(planned.given.fleet, tier).nodes and tier not in planned.given.unsized]
    ends = [_ends(prepared, planned, tier, (asked.value, asked.low, asked.high)) for tier in named]
    ends.sort(key=lambda one: YEARS_MAX if one.years is None else one.years)
    return Growth(per_year=asked.value, low=asked.low, high=asked.high, horizon_years=prepared.scenario.horizon_s / YEAR_S, ends=ends)


def _ends(prepared: Prepared, planned: Planned, tier: Tier, per_year: tuple[float, float, float]) -> Ends:
    have = getattr(planned.given.fleet, tier).nodes
    years, slow, fast = (_years(lasts(planned.given, tier, have, prepared.inputs, by)) for by in per_year)
    return Ends(tier=tier, years=years, date=None if years is None else _date(years), years_low=slow, years_high=fast)


def _years(found: float | None) -> float | None:
    return None if found is None or found >= YEARS_MAX else found


def _date(years: float) -> str:
    """The month."""
    day = datetime.fromtimestamp(NEW_YEAR_MS / 1e3, UTC) + timedelta(seconds=years * YEAR_S)
    return f"{day:%Y-%m}"
