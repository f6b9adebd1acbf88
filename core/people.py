"""Pages of people: whoever is deactivated or hidden from the viewer is left out, and pages stay full."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from . import cursors
from .caches import Caches
from .limits import Limits
from .model import AccountStatus, Edge, User
from .pages import checked_limit, filled
from .shown import Page
from .visibility import Viewer


async def people_page(
    caches: Caches,
    limits: Limits,
    viewer: Viewer,
    *,
    kind: str,
    cursor: str,
    limit: int,
    fetch: Callable[[int, int], Awaitable[Sequence[Edge]]],
    shows: Callable[[Viewer, User], bool] | None = None,
) -> Page:
    """Return a page of the list `kind` (one letter, for cursors), whose edges `fetch(before, how many)` gives.

    `shows` says whom the list names to the viewer; without it those that `knows_of` lets through.
    """
    checked_limit(limit, limits.page_users_max)
    known: dict[int, User] = {}
    named = shows or knows_of

    async def keep(edges: Sequence[Edge]) -> list[bool]:
        users = await caches.users([edge.user_id for edge in edges])
        known.update({user.user_id: user for user in users if user is not None})
        return [user is not None and user.status is AccountStatus.ACTIVE and named(viewer, user) for user in users]

    page = await filled(
        fetch, keep, lambda edge: edge.sequence, start=cursors.decode(kind, cursor), limit=limit, scan_max=limits.scan_max
    )
    next_cursor = cursors.encode(kind, page.last) if page.has_more else ""
    return Page(tuple(known[edge.user_id] for edge in page.found), next_cursor, page.has_more)


def knows_of(viewer: Viewer, user: User) -> bool:
    """Whether lists may name this user to the viewer: private accounts are named, blocked ones are not."""
    return user.user_id == viewer.user_id or user.user_id not in viewer.hidden


def anyone(viewer: Viewer, user: User) -> bool:  # noqa: ARG001 - fills `shows`
    """For one's own lists of blocks and mutes, which name those who are hidden."""
    return True
