"""The OpenAPI 3.1 document, made from the route table and the structs that bodies are read and written by.

Both ways in parse by the same table and the same structs, so the document cannot tell of another API than the one served.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

from ... import __version__
from ..limits import Limits
from .encode import TweetOut, UnavailableOut
from .problems import TITLES, Problem
from .ratelimits import Rate
from .route import Auth, Route

Json: TypeAlias = dict[str, Any]

_REF = "#/components/schemas/{name}"
_ABOUT = (
    "Ids are decimal strings, times RFC 3339 in UTC. Errors are application/problem+json; `code` is stable. "
    "Every answer carries X-Request-Id; send your own and it goes through to the delivery of what you post. "
    "Limited routes carry X-RateLimit-Limit, -Remaining and -Reset (seconds until the bucket is full). "
    "Answers to requests without a token may be kept by shared caches for 60 seconds: so long at most can a deleted "
    "tweet be seen there; everything else is no-store."
)
_PATH_SCHEMAS: dict[str, Json] = {
    "id": {"type": "string", "pattern": "^[1-9][0-9]{0,18}$"},
    "name": {"type": "string", "pattern": "^[A-Za-z0-9_]{1,50}$"},
}


def document(routes: Sequence[Route], limits: Limits) -> Json:
    """Return the document of these routes."""
    structs: list[type[Any]] = [Problem, TweetOut, UnavailableOut]
    structs += [struct for route in routes for struct in (route.body, route.answer) if struct and struct not in structs]
    structs = list(dict.fromkeys(structs))
    schemas, components = msgspec.json.schema_components(structs, ref_template=_REF)
    ref_of: dict[type[Any], Json] = dict(zip(structs, schemas, strict=True))
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, ref_of, limits)
    return {
        "openapi": "3.1.0",
        "info": {"title": "twit", "version": __version__, "description": _ABOUT},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "responses": {
                f"problem{status}": {
                    "description": title,
                    "content": {"application/problem+json": {"schema": ref_of[Problem]}},
                }
                for status, title in TITLES.items()
            },
        },
    }


def _operation(route: Route, ref_of: dict[type[Any], Json], limits: Limits) -> Json:
    operation: Json = {
        "operationId": route.name,
        "tags": [route.tag],
        "summary": route.summary,
        "parameters": _parameters(route, limits),
        "responses": _responses(route, ref_of),
    }
    if route.handler.__doc__:
        operation["description"] = route.handler.__doc__
    if route.body is not None:
        content = {"application/json": {"schema": ref_of[route.body]}}
        operation["requestBody"] = {"required": not route.body_optional, "content": content}
    if route.auth is not Auth.NONE:
        operation["security"] = [{"bearer": []}] if route.auth is Auth.REQUIRED else [{"bearer": []}, {}]
    return operation


def _parameters(route: Route, limits: Limits) -> list[Json]:
    found: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name, schema in _PATH_SCHEMAS.items()
        if f"{{{name}}}" in route.path
    ]
    if route.pages:
        cursor = {"type": "string", "maxLength": limits.cursor_chars_max}
        limit = {"type": "integer", "minimum": 1, "maximum": limits.timeline_page_max, "default": limits.timeline_page_default}
        found.append({"name": "cursor", "in": "query", "description": "next_cursor of the page before", "schema": cursor})
        found.append({"name": "limit", "in": "query", "schema": limit})
    if route.idempotent_by_key:
        key = {"type": "string", "minLength": 1, "maxLength": limits.idempotency_key_chars_max, "pattern": "^[!-~]+$"}
        about = "a repeat within 24 hours answers the first result, or 410 once that tweet is gone: it is not made again"
        found.append({"name": "Idempotency-Key", "in": "header", "description": about, "schema": key})
    return found


def _responses(route: Route, ref_of: dict[type[Any], Json]) -> Json:
    success: Json = {"description": route.summary}
    if route.status == 201 and route.idempotent_by_key:
        success["headers"] = {"Location": {"schema": {"type": "string"}}}
    if route.answer is not None:
        success["content"] = {route.content_type: {"schema": ref_of[route.answer]}}
    elif route.status == 200:
        success["content"] = {route.content_type.partition(";")[0]: {"schema": _schema_of(route.content_type)}}
    found: Json = {str(status): success for status in (route.status, *route.also)}
    if route.shared:
        found["304"] = {"description": "what the caller holds is still right"}
    found.update({str(status): {"$ref": f"#/components/responses/problem{status}"} for status in _problems_of(route)})
    return found


def _schema_of(content_type: str) -> Json:
    return {"type": "object"} if content_type == "application/json" else {"type": "string"}


def _problems_of(route: Route) -> list[int]:
    """Which statuses a route can answer beside its success; every one of them is a problem."""
    if route.operators:
        return [500] if 503 in route.also else [500, 503]
    can: dict[int, bool] = {
        400: route.body is not None,
        401: route.auth is not Auth.NONE or route.name == "log_in",
        403: route.auth is Auth.REQUIRED,
        404: "{" in route.path or route.idempotent_by_key,
        409: route.method != "GET",
        410: route.idempotent_by_key,
        413: route.body is not None,
        415: route.body is not None,
        422: route.body is not None or route.pages or route.auth is Auth.REQUIRED,
        429: route.rate is not Rate.NONE or route.name == "change_password",
        500: True,
        503: True,
    }
    return [status for status, possible in can.items() if possible]
