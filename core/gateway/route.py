"""What one entry of the route table says. The front, Litestar and the OpenAPI document are all made from these."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from .ratelimits import Rate

if TYPE_CHECKING:
    from .exchange import Answer, Call
    from .site import Site

    Handler: TypeAlias = Callable[[Site, Call], Awaitable[Answer]]

API = "/api/v1"


class Auth(Enum):
    """Whether a token is looked at."""

    NONE = 0  # no
    OPTIONAL = 1  # if it is there, it must hold
    REQUIRED = 2


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path. `body` is the struct that the JSON body must fit; `body_optional` lets it be empty.

    `answer` is the struct of the success body, `None` for an empty one. `hot` routes are answered by the front too.
    `shared`: an answer to a request without a token may be kept by shared caches.
    """

    method: str
    path: str
    name: str
    summary: str
    handler: Handler
    tag: str
    status: int = 200
    also: tuple[int, ...] = ()  # other statuses with the same body
    auth: Auth = Auth.REQUIRED
    rate: Rate = Rate.NONE
    body: type[Any] | None = None
    body_optional: bool = False
    answer: type[Any] | None = None
    content_type: str = "application/json"
    pages: bool = False
    idempotent_by_key: bool = False
    hot: bool = False
    shared: bool = False
    operators: bool = False  # not shed, not limited, outside /api/v1


def methods_at(routes: tuple[Route, ...], path: str) -> str:
    """Return the methods served at `path` as an Allow header, "" for none."""
    methods: list[str] = []
    for route in routes:
        if _matches(route.path, path) and route.method not in methods:
            methods += [route.method, "HEAD"] if route.method == "GET" else [route.method]
    return ", ".join(sorted([*methods, "OPTIONS"])) if methods else ""


def _matches(pattern: str, path: str) -> bool:
    wanted, given = pattern.strip("/").split("/"), path.strip("/").split("/")
    return len(wanted) == len(given) and all(w == g or (w[0] == "{" and g) for w, g in zip(wanted, given, strict=True))
