"""The short way in: hot routes go straight to the gate, everything else to the app behind.

It finds a route by one dict look-up and decides nothing else; what it does not know well it hands on, so that both ways
answer the same bytes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from .exchange import Receive, Scope, Send
from .gate import Gate
from .route import Route

Asgi: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_ID_AT = 4  # of "/api/v1/tweets/{id}/like" split at "/"


class Front:
    """An ASGI app over another."""

    def __init__(self, gate: Gate, routes: Sequence[Route], behind: Asgi) -> None:
        self._gate = gate
        self._behind = behind
        self._fixed: dict[tuple[str, str], Route] = {}
        self._of_id: dict[tuple[str, ...], Route] = {}
        for route in routes:
            if not route.hot:
                continue
            parts = route.path.split("/")
            if "{" not in route.path:
                self._fixed[route.method, route.path] = route
            elif parts[_ID_AT] == "{id}" and route.path.count("{") == 1:
                self._of_id[route.method, *parts[:_ID_AT], *parts[_ID_AT + 1 :]] = route
            else:
                what = f"{route.path} cannot be a hot route: its only parameter must be an id at place {_ID_AT}"
                raise ValueError(what)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            route = self._fixed.get((scope["method"], path))
            if route is not None:
                return await self._gate.pass_through(route, {}, scope, receive, send)
            parts = path.split("/")
            if len(parts) > _ID_AT:
                tweet_or_user = parts.pop(_ID_AT)
                route = self._of_id.get((scope["method"], *parts))
                if route is not None and tweet_or_user.isascii() and tweet_or_user.isdigit():
                    return await self._gate.pass_through(route, {"id": tweet_or_user}, scope, receive, send)
        return await self._behind(scope, receive, send)
