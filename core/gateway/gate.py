"""The one path of every request, whichever way it came in: admission, id, token, rate limit, body, handler, problem, headers.

Nothing that a handler raises passes it: our errors become problems, anything else is logged and becomes a bare 500.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Mapping

from ..entropy import Entropy
from ..errors import TwitError, Unauthorized
from . import problems
from .bodies import Disconnected, bearer_token, read_body
from .exchange import Answer, Call, Header, Receive, Scope, Send
from .route import Auth, Route
from .site import Site
from .turns import Turns
from .writing import wrote

log = logging.getLogger(__name__)

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_NO_STORE = (b"cache-control", b"no-store")
_SHARED = (b"cache-control", b"public, max-age=60")
_VARY = (b"vary", b"Authorization")
_NO_SNIFFING = (b"x-content-type-options", b"nosniff")
CLOSE = (b"connection", b"close")


class Gate:
    """One gateway's way in."""

    def __init__(self, site: Site, entropy: Entropy) -> None:
        self.site = site
        self._body_bytes_max = site.twit.limits.body_bytes_max
        self._turns = Turns(site.twit.caches)
        self._id_prefix = entropy.token_bytes(6).hex()
        self._id_count = 0

    async def pass_through(
        self, route: Route, params: Mapping[str, str], scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer one request for `route`."""
        site = self.site
        began_us = site.clock.monotonic_us()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        client = scope.get("client")
        call = Call(
            request_id=self.request_id(headers),
            params=params,
            query=scope["query_string"],
            headers=headers,
            address=client[0] if client else "",
            limits=site.twit.limits,
        )
        try:
            answer = await self._answer(route, call, receive)
        except Disconnected:
            return
        site.stats.of(route.name).add(answer.status, site.clock.monotonic_us() - began_us)
        shared = route.shared and b"authorization" not in headers
        await self.send(scope, send, answer, call.request_id, shared=shared)

    def request_id(self, headers: Mapping[bytes, bytes]) -> str:
        """Return the caller's X-Request-Id where it is harmless, else a new one."""
        given = headers.get(b"x-request-id")
        if given is not None and _REQUEST_ID.fullmatch(given):
            return given.decode("ascii")
        self._id_count += 1
        return f"{self._id_prefix}-{self._id_count:x}"

    async def send(self, scope: Scope, send: Send, answer: Answer, request_id: str, *, shared: bool = False) -> None:
        """Send an answer with the headers that every answer has; 304 where the caller holds it already."""
        shared = shared and answer.status == 200
        headers: list[Header] = [
            (b"content-type", answer.content_type),
            (b"content-length", b"%d" % len(answer.body)),
            _SHARED if shared else _NO_STORE,
            _VARY,
            _NO_SNIFFING,
            (b"x-request-id", request_id.encode("ascii")),
            *answer.headers,
        ]
        status, body = answer.status, answer.body
        if shared:
            etag = b'"' + hashlib.blake2b(body, digest_size=12).hexdigest().encode("ascii") + b'"'
            headers.append((b"etag", etag))
            if _holds(scope, etag):
                status, body = 304, b""
                del headers[:2]
        elif status == 204:
            del headers[:2]
        if self.site.draining:
            headers.append(CLOSE)
        elif body and scope["method"] != "HEAD" and wrote(send, status, headers, body):
            return
        if scope["method"] == "HEAD":
            body = b""
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, route: Route, call: Call, receive: Receive) -> Answer:
        """Never raises anything but `Disconnected` and the server's own cancellation."""
        try:
            if route.operators:
                return await self._handled(route, call, receive)
            return await self._in_time(route, call, receive)
        except TwitError as error:
            if error.http_status >= 500:
                log.warning("request %s: %s %s: %s", call.request_id, route.method, route.path, error)
            return problems.answer_of(error, call.request_id)
        except Disconnected:
            raise
        except Exception:
            log.exception("request %s: %s %s failed", call.request_id, route.method, route.path)
            return problems.bug(call.request_id)

    async def _in_time(self, route: Route, call: Call, receive: Receive) -> Answer:
        """The same within `request_deadline_ms`, or not at all where too many are under way."""
        in_flight = self.site.in_flight
        task = in_flight.enter(asyncio.get_running_loop())
        try:
            return await self._handled(route, call, receive)
        except asyncio.CancelledError:
            if not in_flight.is_late(task):
                raise
        finally:
            in_flight.leave(task)
        meaning = "what was asked for may or may not have been done" if route.method != "GET" else ""
        raise problems.DeadlinePassed("the answer took too long", meaning=meaning, try_="again in a second")

    async def _handled(self, route: Route, call: Call, receive: Receive) -> Answer:
        site = self.site
        if route.auth is not Auth.NONE:
            call.token = bearer_token(call.headers)
            if call.token:
                call.in_step = self._turns.in_step()
                call.viewer = site.twit.known(call.token) if call.in_step else 0
                call.viewer = call.viewer or await site.twit.authenticate(call.token)
            elif route.auth is Auth.REQUIRED:
                raise Unauthorized("this needs a token", try_="log in, then send Authorization: Bearer <token>")
        quota = site.limiter.take(route.rate, call.viewer, call.address)
        if route.body is not None:
            call.body = await read_body(receive, call.headers, self._body_bytes_max)
        answer = await route.handler(site, call)
        if quota is not None:
            answer.headers = (*answer.headers, *quota.headers())
        return answer


def _holds(scope: Scope, etag: bytes) -> bool:
    """Whether If-None-Match names this tag."""
    for name, value in scope["headers"]:
        if name == b"if-none-match":
            return any(tag.strip().removeprefix(b"W/") in (etag, b"*") for tag in value.split(b","))
    return False
