"""Which procedures there are, by the name in a run's manifest: how a run is taken up again by whoever resumes it."""

from __future__ import annotations

from ..core.clock import Clock
from ..core.errors import Unsupported
from ..core.limits import Limits
from .audit_people import MendPeople
from .events import RetryParked
from .plan import Options
from .procedure import Maker
from .rebuild_timeline import RebuildTimelines, Selection


def maker(name: str, limits: Limits, clock: Clock, options: Options) -> Maker:
    """What makes the procedure over the stores that it is handed. A resumed one selects nothing: its items are kept."""
    known: dict[str, Maker] = {
        RebuildTimelines.name: lambda stores: RebuildTimelines(stores, limits, clock, Selection(), options),
        "repair-graph": lambda stores: MendPeople(stores, "graph", ()),
        "repair-counts": lambda stores: MendPeople(stores, "counts", ()),
        RetryParked.name: lambda stores: RetryParked(stores, ()),
    }
    if name not in known:
        what = f"this twit knows no procedure {name}"
        raise Unsupported(what, try_="resume it with the twit that started it")
    return known[name]
