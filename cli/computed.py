"""Opens contexts of kind `simulated`: a population that is computed, and a clock that may stand elsewhere than ours."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..core.errors import Invalid, Refused, Unsupported

if TYPE_CHECKING:
    from ..core.clock import Clock
    from ..core.limits import Limits
    from ..core.ports import Stores
    from ..core.service import Twit
    from ..core.settings import ContextSettings

USERS, SEED, PRESET = 500_000_000, 7, "design"  # where a context in a file names none


async def open_computed(context: ContextSettings, limits: Limits, clock: Clock) -> tuple[Stores, Clock]:
    """The context's stores and its clock. Raises `Unsupported` where the extra is not installed, `Invalid` for settings that
    give no population."""
    try:
        from ..simulate.world.people import open_people
        from ..simulate.world.stores import open_world_stores
        from ..simulate.world.turns import WorldClock
    except ImportError as error:
        what = f"context {context.name} is simulated, and {error.name or 'what it computes with'} is not installed"
        raise Unsupported(what, code="NO_WORLD", meaning="The population comes with the extra twit[simulate].", try_="pip install 'twit[simulate]'") from error
    speed = float(_given(context, "speed", 1.0))
    if speed != 1.0 or "at" in context.values:
        clock = WorldClock(clock, _moment_ms(context, clock), speed)
    people = open_people(int(_given(context, "users", USERS)), int(_given(context, "seed", SEED)), str(_given(context, "preset", PRESET)))
    return await open_world_stores(people, limits, clock, data=context.data, speed=speed), clock


async def meet(twit: Twit, readers: Sequence[int]) -> None:
    """Let these people read their timelines first: in a world that was just opened nobody has done so, and nobody has a row."""
    for reader in readers:
        with suppress(Refused):  # whoever there is not, or has left, is told of by what comes next
            await twit.home_timeline(reader, limit=1)


def _given(context: ContextSettings, key: str, otherwise: Any) -> Any:
    return context.values[key].value if key in context.values else otherwise


def _moment_ms(context: ContextSettings, clock: Clock) -> int:
    """When the world's clock stands at the start."""
    from datetime import datetime

    from ..core.ids import EPOCH_MS, MAX_ID, ms_of

    if "at" not in context.values:
        return clock.now_ms()
    given = context.values["at"]
    at_ms = round(datetime.fromisoformat(str(given.value)).timestamp() * 1_000)
    if not EPOCH_MS < at_ms < ms_of(MAX_ID):
        what = f"{given.source}: at is {given.value}"
        raise Invalid(what, field="at", meaning="tweets have ids from 2010 to 2079", code="SETTINGS")
    return at_ms
