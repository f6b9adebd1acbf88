"""The options that every mutating procedure shares, and the types of their values."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ..ops.plan import Options

F = TypeVar("F", bound=Callable[..., Any])
CONCURRENCY_MAX = 64


class _Checked(click.ParamType[Any]):
    """A value that `ops/durations.py` reads; what it refuses is a usage error."""

    def __init__(self, name: str, reader: str) -> None:
        self.name = name
        self._reader = reader

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        if not isinstance(value, str):
            return value
        from ..core.errors import Invalid
        from ..ops import durations

        try:
            return getattr(durations, self._reader)(value, "")
        except Invalid as error:
            self.fail(f"{error}: {error.try_}", param, ctx)


DURATION = _Checked("duration", "duration_ms")
RATE = _Checked("rate", "rate_per_s")
SHARE = _Checked("share", "share")
MOMENT = _Checked("time", "moment")


def job_options(unit: str) -> Callable[[F], F]:
    """Add them to a command; it gets them as keyword arguments, to be handed to `options_from`."""
    options = [
        click.option("--dry-run", is_flag=True, help="Show the plan and stop; the stores refuse writes."),
        click.option("--yes", is_flag=True, help="Answer yes where one would be asked [y/N]."),
        click.option("--confirm", default="", metavar="NAME", help="The context's name, where it would have to be typed."),
        click.option("--reason", default="", metavar="TEXT", help="Why; wanted by protected contexts, kept with the run."),
        click.option("--ticket", default="", metavar="ID", help="Kept with the run."),
        click.option("--plan-out", default="", metavar="FILE", help="Write the plan to FILE and stop."),
        click.option("--plan", default="", metavar="FILE", help="Carry out that plan, if the world still matches it."),
        click.option("--rate", type=RATE, default=0.0, metavar="N/s", help=f"At most so many {unit} a second.  [default: no bound]"),
        click.option("--concurrency", type=click.IntRange(1, CONCURRENCY_MAX), default=4, show_default=True, help="Batches at once."),
        click.option("--max-lag", type=DURATION, default="2s", show_default=True, help="Wait while fan-out lags more; 0s: never."),
        click.option("--max-wait", type=DURATION, default="10m", show_default=True, help="Stop, resumable, after waiting so long."),
        click.option(
            "--verify-sample", type=SHARE, default="1%", show_default=True, metavar="P",
            help=f"Share of the {unit} read back and compared: 0.1%, 0.001; 0 for none.",
        ),
        click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True, help="Draws the samples."),
    ]  # fmt: skip

    def decorate(body: F) -> F:
        for option in reversed(options):
            body = option(body)
        return body

    return decorate


def options_from(given: dict[str, Any]) -> Options:
    """The values as the job takes them."""
    from ..ops.plan import Options

    return Options(
        dry_run=given["dry_run"], yes=given["yes"], confirm=given["confirm"], reason=given["reason"], ticket=given["ticket"],
        plan_out=given["plan_out"], plan=given["plan"], rate=given["rate"], concurrency=given["concurrency"],
        max_lag_ms=given["max_lag"], max_wait_ms=given["max_wait"], verify_sample=given["verify_sample"], seed=given["seed"],
    )
