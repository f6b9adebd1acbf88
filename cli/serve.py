"""serve: the HTTP API on a world, with the event consumers beside it unless they run elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .command import command
from .invocation import Invocation, current, terminal
from .output import Sheet

if TYPE_CHECKING:
    from ..ops.demo.seed import Seeded
    from .contexts import World


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Host and port are settings too: the flag is one of their layers."""
    setattr(ctx.find_object(Invocation), str(param.name), value)
    return value


@command("serve", examples=("twit serve", "twit serve --demo", "twit serve --host 0.0.0.0 --port 8420 --no-consumers"))
@click.option("--host", callback=_remember, expose_value=False, help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65_535), callback=_remember, expose_value=False, help="0: any free one.  [default: 8420]")
@click.option("--no-consumers", is_flag=True, help="Answer requests only; twit worker does the rest.")
@click.option("--demo", is_flag=True, help="In an empty data directory, make 20,000 people to try things with.")
@click.option("--drain-timeout", type=click.FloatRange(0, 600), default=0.0, metavar="S", help="Say 503 on /readyz for this long before closing.")
def serve(no_consumers: bool, demo: bool, drain_timeout: float) -> None:
    """Serve the HTTP API, with the event consumers.

    Ctrl-C or SIGTERM finishes what is under way and leaves; a second one leaves at once.
    """
    from ..core.gateway.server import Serving
    from ..core.gateway.server import serve as serving_until_stopped
    from ..core.workers import GROUPS
    from .contexts import perform

    settings = current().settings
    if not settings.rate_limits:
        terminal().warn(f"rate limits are off (from {settings.explain('rate_limits')[0].source}): for load tests only")
    how = Serving(
        host=settings.host, port=settings.port, groups=() if no_consumers else tuple(GROUPS),
        rate_limits=settings.rate_limits, drain_s=drain_timeout,
    )  # fmt: skip

    async def act(world: World) -> None:
        seeded = await _seeded(world) if demo else None
        await serving_until_stopped(
            world.twit, how, clock=world.clock, entropy=world.entropy,
            listening=lambda host, port: _show(world, host, port, seeded),
        )  # fmt: skip

    perform(current(), act)
    terminal().say("drained")


async def _seeded(world: World) -> Seeded:
    from ..ops.demo.seed import seed_demo
    from .imports import steps

    terminal().say("making the demo world …")
    with steps("demo world") as progress:
        return await seed_demo(world.twit, world.clock.now_ms(), progress=progress)


def _show(world: World, host: str, port: int, seeded: Seeded | None) -> None:
    from .. import __version__

    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    row = {"version": __version__, "context": world.context.name, "data": str(world.folder), "url": url}
    lines = [f"twit {__version__}  context={world.context.name} ({_short(world.folder)})  {url}  metrics=/metrics  Ctrl-C drains"]
    if seeded is not None:
        row |= {"username": seeded.username, "password": seeded.password, "tweet_id": str(seeded.tweet_id)}
        lines += _to_try(url, seeded)
    terminal().show(Sheet(rows=[row], columns={key: key for key in row}, name="url", document=row, lines=lines))


def _to_try(url: str, seeded: Seeded) -> list[str]:
    api = f"{url}/api/v1"
    login = f'{{"username": "{seeded.username}", "password": "{seeded.password}"}}'
    return [
        f"{seeded.people:,} people; log in as {seeded.username} with {seeded.password}".replace(",", " "),
        f"  TOKEN=$(curl -s {api}/sessions -H 'content-type: application/json' -d '{login}' | sed 's/.*\"token\":\"\\([^\"]*\\)\".*/\\1/')",
        f'  curl -s {api}/timeline/home?limit=5 -H "authorization: Bearer $TOKEN"',
        f"  curl -s {api}/tweets/{seeded.tweet_id}/thread",
    ]


def _short(folder: Path) -> str:
    home = Path.home()
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)
