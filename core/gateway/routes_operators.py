"""What operators and tools ask: alive, ready, metrics, the API's description. Never limited, never shed."""

from __future__ import annotations

import contextlib

import msgspec

from ..errors import StoreError
from ..events import GroupLag
from ..workers import GROUPS
from .exchange import Answer, Call
from .metrics import Facts, exposition
from .route import Auth, Route
from .site import Site


class Readiness(msgspec.Struct):
    """Whether traffic should come here, and what every part says."""

    ready: bool
    parts: dict[str, str]


class Alive(msgspec.Struct):
    """The process answers."""

    status: str


_encode = msgspec.json.Encoder().encode
_ALIVE = _encode(Alive("ok"))
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


async def get_healthz(_site: Site, _call: Call) -> Answer:
    """Alive: nothing is asked."""
    return Answer(200, _ALIVE)


async def get_readyz(site: Site, _call: Call) -> Answer:
    """503 while draining, or where a store or this process's consumers are not well."""
    parts = dict(sorted((await site.twit.stores.health.check()).items()))
    parts.update({f"consumer {group}": says for group, says in site.consumers().items()})
    parts["gateway"] = "draining" if site.draining else "ok"
    ready = all(says in ("ok", "elsewhere") for says in parts.values())
    return Answer(200 if ready else 503, _encode(Readiness(ready, parts)), headers=() if ready else ((b"retry-after", b"1"),))


async def get_metrics(site: Site, _call: Call) -> Answer:
    """Prometheus's text format."""
    twit = site.twit
    lag: list[GroupLag] = []
    with contextlib.suppress(StoreError):  # a lag that cannot be told is left out; the other figures are wanted then all the more
        lag = await twit.stores.log.lag(GROUPS, site.clock.now_ms())
    facts = Facts(
        in_flight=len(site.in_flight),
        shed=site.in_flight.shed,
        late=site.in_flight.late,
        cache_sizes=_sizes(site),
        fragments_encoded=site.fragments.encoded,
        lag=lag,
        deliveries=twit.workers.deliveries(),
    )
    return Answer(200, exposition(site.stats, facts), METRICS_TYPE.encode("ascii"))


def _sizes(site: Site) -> dict[str, int]:
    caches = site.twit.caches
    return {
        "fragments": len(site.fragments),
        "tweets": len(caches.tweet_cache),
        "users": len(caches.user_cache),
        "counts": len(caches.count_cache),
        "viewers": len(caches.viewer_cache),
        "author_lists": len(caches.newest_cache),
    }


async def get_openapi(site: Site, _call: Call) -> Answer:
    """The API's description."""
    return Answer(200, site.openapi)


async def get_docs(site: Site, _call: Call) -> Answer:
    """The same for people."""
    return Answer(200, site.docs, b"text/html; charset=utf-8", ((b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),))


ROUTES = (
    Route(method="GET", path="/healthz", name="healthz", tag="operators", summary="Whether the process is alive",
          handler=get_healthz, auth=Auth.NONE, answer=Alive, operators=True),
    Route(method="GET", path="/readyz", name="readyz", tag="operators", summary="Whether traffic should come here",
          handler=get_readyz, auth=Auth.NONE, answer=Readiness, operators=True, also=(503,)),
    Route(method="GET", path="/metrics", name="metrics", tag="operators", summary="Prometheus metrics",
          handler=get_metrics, auth=Auth.NONE, operators=True, content_type=METRICS_TYPE),
    Route(method="GET", path="/openapi.json", name="openapi", tag="operators", summary="This description",
          handler=get_openapi, auth=Auth.NONE, operators=True, shared=True),
    Route(method="GET", path="/docs", name="docs", tag="operators", summary="This description, for people",
          handler=get_docs, auth=Auth.NONE, operators=True, content_type="text/html; charset=utf-8", shared=True),
)  # fmt: skip
