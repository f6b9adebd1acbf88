"""user: create, show, list, set, passwd, deactivate, requests. The operator's view: accounts of any status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .arguments import TEXT, WHO, Who, people, person
from .command import Group
from .invocation import current, terminal
from .secret import new_password, password_option

if TYPE_CHECKING:
    from ..core.model import FollowRequest, User
    from .contexts import World

who_argument = click.argument("who", type=WHO, metavar="@WHO")
PROFILE = ("display_name", "bio", "location", "website", "email", "profile_image", "banner_image")


@click.group("user", cls=Group, examples=("twit user create @ada --email ada@example.org", "twit user show @ada", "twit user list"))
def user() -> None:
    """Create, show and change accounts."""


@user.command("create", examples=(
    "twit user create @ada --email ada@example.org",
    "twit user create @grace --email grace@example.org --password-file - < secret.txt",
))  # fmt: skip
@who_argument
@click.option("--email", type=TEXT, required=True, help="One account an address.")
@click.option("--display-name", type=TEXT, default="", help="The name to show.  [default: the user name]")
@password_option
@click.option("--token", is_flag=True, help="Log in too, and show the bearer token for the HTTP API.")
def create(who: Who, email: str, display_name: str, password_file: str | None, token: bool) -> None:
    """Make an account.

    The password is asked for without echo, or read from a file or stdin; it is never an argument.
    """
    from .contexts import perform
    from .shapes import user_sheet

    password = new_password(who, password_file)

    async def act(world: World) -> tuple[dict[str, Any], str]:
        made, bearer = await world.twit.sign_up(who.name or str(who.user_id), email, password, display_name)
        if not token:
            await world.twit.log_out(bearer)
        return (await _described(world, [made]))[0], bearer

    row, bearer = perform(current(), act, writes=True)
    terminal().show(user_sheet({**row, **({"token": bearer} if token else {})}))


@user.command("show", examples=("twit user show @ada", "twit user show 17 @grace -o json"))
@click.argument("whos", type=WHO, nargs=-1, required=True, metavar="@WHO…")
def show(whos: tuple[Who, ...]) -> None:
    """Show accounts with their counts."""
    from .contexts import perform
    from .shapes import user_sheet, users_sheet

    async def act(world: World) -> list[dict[str, Any]]:
        return await _described(world, await people(world.twit, *whos))

    rows = perform(current(), act)
    terminal().show(user_sheet(rows[0]) if len(rows) == 1 else users_sheet(rows))


@user.command("list", examples=("twit user list", "twit user list --limit 200 --after 200 -o name"))
@click.option("--limit", type=int, default=50, show_default=True, metavar="N", help="Accounts on the page, 1 to 200.")
@click.option("--after", type=click.IntRange(0), default=0, metavar="ID", help="Only accounts with a higher id.")
def list_(limit: int, after: int) -> None:
    """List accounts in order of id."""
    from ..core.pages import checked_limit
    from .contexts import perform
    from .shapes import users_sheet

    async def act(world: World) -> list[dict[str, Any]]:
        count = checked_limit(limit, world.twit.limits.page_users_max)
        return await _described(world, await world.stores.accounts.page(after, count))

    rows = perform(current(), act)
    terminal().show(users_sheet(rows))
    if len(rows) == limit and terminal().format == "table":
        terminal().say(f"more: --after {rows[-1]['id']}")


@user.command("set", examples=('twit user set @ada --bio "Notes on the engine" --location London', "twit user set @ada --private"))
@who_argument
@click.option("--display-name", type=TEXT, help="The name to show.")
@click.option("--bio", type=TEXT, help="A few words; empty takes them away.")
@click.option("--location", type=TEXT)
@click.option("--website", type=TEXT, metavar="URL")
@click.option("--email", type=TEXT)
@click.option("--profile-image", type=TEXT, metavar="URL")
@click.option("--banner-image", type=TEXT, metavar="URL")
@click.option("--private/--public", "is_private", default=None, help="Whether only accepted followers may read along.")
def set_(who: Who, is_private: bool | None, **profile: str | None) -> None:
    """Change profile, e-mail or privacy.

    Turning public accepts every open request to follow.
    """
    changes: dict[str, object] = {name: value for name, value in profile.items() if value is not None}
    if is_private is not None:
        changes["is_private"] = is_private
    if not changes:
        raise click.UsageError("nothing to change: pass at least one option")
    from .contexts import perform
    from .shapes import user_sheet

    async def act(world: World) -> dict[str, Any]:
        found = await person(world.twit, who)
        return (await _described(world, [await world.twit.update_profile(found.user_id, changes)]))[0]

    terminal().show(user_sheet(perform(current(), act, writes=True)))


@user.command("passwd", examples=("twit user passwd @ada", "twit user passwd @ada --password-file - < secret.txt"))
@who_argument
@password_option
def passwd(who: Who, password_file: str | None) -> None:
    """Set a new password and end all log-ins."""
    from .contexts import perform
    from .shapes import state_sheet

    password = new_password(who, password_file)

    async def act(world: World) -> User:
        found = await person(world.twit, who)
        await world.twit.set_password(found.user_id, None, password)
        return found

    found = perform(current(), act, writes=True)
    row = {"user": found.username, "status": "password_changed"}
    terminal().show(state_sheet(row, f"@{found.username}  password changed, all log-ins ended", "user"))


@user.command("deactivate", examples=("twit user deactivate @ada",))
@who_argument
def deactivate(who: Who) -> None:
    """Hide an account at once and whole.

    Logging in within 30 days brings it back; after that it is deleted.
    """
    from .contexts import perform
    from .shapes import state_sheet

    async def act(world: World) -> tuple[User, bool]:
        found = await person(world.twit, who)
        await world.twit.deactivate(found.user_id)
        return found, found.status.value == "active"

    found, changed = perform(current(), act, writes=True)
    row = {"user": found.username, "status": "deactivated" if changed else found.status.value, "changed": changed}
    line = f"@{found.username}  {'deactivated' if changed else f'already {found.status.value}'}"
    terminal().show(state_sheet(row, line, "user"))


@user.command("requests", examples=(
    "twit user requests @ada", "twit user requests @ada --accept @grace", "twit user requests @ada --reject @mallory --reject @eve",
))  # fmt: skip
@who_argument
@click.option("--accept", type=WHO, multiple=True, metavar="@WHOM", help="Let them follow; may be repeated.")
@click.option("--reject", type=WHO, multiple=True, metavar="@WHOM", help="Close their requests; may be repeated.")
@click.option("--limit", type=int, default=50, show_default=True, metavar="N", help="Requests on the page, 1 to 200.")
@click.option("--cursor", default="", help="The next page: next_cursor of the page before.")
def requests(who: Who, accept: tuple[Who, ...], reject: tuple[Who, ...], limit: int, cursor: str) -> None:
    """List who asks to follow a private account, or answer them.

    What is shown are the requests that are open afterwards, newest first.
    """
    if set(accept) & set(reject):
        raise click.UsageError("somebody is both accepted and rejected")
    from .contexts import perform
    from .shapes import requests_sheet

    async def act(world: World) -> tuple[list[tuple[FollowRequest, User]], str, bool]:
        target = (await person(world.twit, who)).user_id
        for whom, answer in [(one, world.twit.accept_request) for one in accept] + [(one, world.twit.reject_request) for one in reject]:
            await answer(target, await _request_id(world, target, whom))
        return await world.twit.follow_requests(target, cursor, limit)

    found, next_cursor, has_more = perform(current(), act, writes=bool(accept or reject))
    terminal().show(requests_sheet(found, next_cursor, has_more=has_more))


async def _request_id(world: World, target: int, whom: Who) -> int:
    from ..core.errors import NotFound

    requester = await person(world.twit, whom)
    request = await world.stores.relations.request_between(requester.user_id, target)
    if request is None:
        what = f"@{requester.username} has no open request"
        raise NotFound(what, code="NO_REQUEST", try_="twit user requests @WHO")
    return request.request_id


async def _described(world: World, users: list[User]) -> list[dict[str, Any]]:
    from .shapes import user_json

    counts = await world.twit.user_counts([one.user_id for one in users])
    return [user_json(one, count) for one, count in zip(users, counts, strict=True)]
