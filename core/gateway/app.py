"""The whole API as one ASGI app: Litestar routes everything, the front takes the hot routes before it.

Litestar finds routes, answers OPTIONS and runs the app's life; parsing, auth, limits and errors are the gate's, for both.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from litestar import HttpMethod, Litestar, Request, Response
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from ..clock import Clock
from ..entropy import Entropy
from ..errors import TwitError
from ..service import Twit
from . import docs, openapi, problems
from .exchange import Answer, Receive, Scope, Send
from .fragments import Fragments
from .front import Asgi, Front
from .gate import CLOSE, Gate
from .inflight import InFlight
from .metrics import Stats
from .ratelimits import RateLimiter
from .route import methods_at
from .routes import ROUTES
from .site import Site

log = logging.getLogger(__name__)


def site_of(twit: Twit, *, clock: Clock, rate_limits: bool = True) -> Site:
    """Return what the handlers work with, over one service. One a process and service: it subscribes to the caches."""
    document = openapi.document(ROUTES, twit.limits)
    return Site(
        twit=twit,
        clock=clock,
        fragments=Fragments(twit, clock),
        limiter=RateLimiter(twit.stores.rates, twit.limits, clock, on=rate_limits),
        in_flight=InFlight(twit.limits.requests_in_flight_max, twit.limits.request_deadline_ms),
        stats=Stats([route.name for route in ROUTES]),
        openapi=msgspec.json.encode(document),
        docs=docs.page(document),
    )


def app_of(site: Site, entropy: Entropy, *, front: bool = True) -> Asgi:
    """Return the ASGI app; without `front` Litestar answers the hot routes too, byte for byte the same."""
    gate = Gate(site, entropy)
    litestar: Any = Litestar(
        route_handlers=[_handler(gate, path) for path in dict.fromkeys(route.path for route in ROUTES)],
        exception_handlers={HTTPException: _refusal(gate), Exception: _refusal(gate)},
        openapi_config=None,
        logging_config=None,
        debug=False,
    )
    behind = _closing(site, litestar)
    return Front(gate, ROUTES, behind) if front else behind


def _closing(site: Site, app: Asgi) -> Asgi:
    """Every answer of a draining gateway says that its connection closes, Litestar's own ones too."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        async def last(message: Any) -> None:
            starts = site.draining and message["type"] == "http.response.start"
            if starts and all(name != b"connection" for name, _ in message["headers"]):
                message["headers"] = [*message["headers"], CLOSE]
            await send(message)

        await app(scope, receive, last)

    return call


def _handler(gate: Gate, path: str) -> HTTPRouteHandler:
    """All methods of one path as Litestar knows them: it answers OPTIONS for a handler, not for a path."""
    routes = {route.method: route for route in ROUTES if route.path == path}
    if "GET" in routes:
        routes["HEAD"] = routes["GET"]

    async def handle(request: Request[Any, Any, Any]) -> ASGIApp:
        params = {name: str(value) for name, value in request.path_params.items()}
        route = routes[request.scope["method"]]

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            await gate.pass_through(route, params, scope, receive, send)

        return answer  # type: ignore[return-value]

    methods = [HttpMethod(method) for method in routes]
    litestar_path = path.replace("{id}", "{id:str}").replace("{name}", "{name:str}")
    return HTTPRouteHandler(litestar_path, http_method=methods, status_code=200)(handle)


def _refusal(gate: Gate) -> Any:
    """What Litestar itself refuses (no such path, not by this method), in our shape."""

    def refuse(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        request_id = gate.request_id(dict(request.scope["headers"]))
        return _response(_problem(request, error, request_id), request_id)

    return refuse


def _problem(request: Request[Any, Any, Any], error: Exception, request_id: str) -> Answer:
    path, method = request.scope["path"], request.scope["method"]
    allow = methods_at(ROUTES, path)
    refused: TwitError
    match getattr(error, "status_code", 500):
        case 405 if allow:
            refused = problems.MethodNotAllowed(f"{method} is not served here", allow=allow)
        case 404 | 405:
            refused = problems.NoRoute("nothing is served at this path", try_="see /docs")
        case status if 400 <= status < 500:
            refused = problems.Malformed("the request could not be read")
        case _:
            log.error("request %s: %s %s failed", request_id, method, path, exc_info=error)
            return problems.bug(request_id)
    return problems.answer_of(refused, request_id)


def _response(answer: Answer, request_id: str) -> Response[bytes]:
    headers = {name.decode(): value.decode() for name, value in answer.headers}
    headers.update({
        "cache-control": "no-store", "vary": "Authorization", "x-content-type-options": "nosniff", "x-request-id": request_id,
    })  # fmt: skip
    return Response(answer.body, status_code=answer.status, headers=headers, media_type=answer.content_type.decode())
