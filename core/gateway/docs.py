"""The API's description as one plain page: no script, nothing fetched from anywhere."""

from __future__ import annotations

from html import escape
from typing import Any

_STYLE = """body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}
code,pre{font:13px/1.4 ui-monospace,monospace}h2{margin-top:2.5rem;border-bottom:1px solid #ccc}
details{border:1px solid #ddd;border-radius:6px;margin:.5rem 0;padding:.5rem .8rem}summary{cursor:pointer}
.m{display:inline-block;min-width:4.5rem;font-weight:700}table{border-collapse:collapse}td{padding:.1rem .8rem .1rem 0;vertical-align:top}
@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}details,h2{border-color:#444}a{color:#8cf}}"""


def page(document: dict[str, Any]) -> bytes:
    """Return the page of an OpenAPI document."""
    by_tag: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            by_tag.setdefault(operation["tags"][0], []).append(_operation(method.upper(), path, operation))
    sections = "".join(f"<h2>{escape(tag)}</h2>{''.join(operations)}" for tag, operations in by_tag.items())
    shapes = "".join(_shape(name, schema) for name, schema in sorted(document["components"]["schemas"].items()))
    info = document["info"]
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style>"
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info['description'])}</p>"
        f"<p><a href=/openapi.json>openapi.json</a></p>{sections}<h2>shapes</h2>{shapes}</html>"
    ).encode()


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    rows = [(f"{given['name']} ({given['in']})", _type_of(given["schema"])) for given in operation["parameters"]]
    if "requestBody" in operation:
        rows.append(("body", _type_of(operation["requestBody"]["content"]["application/json"]["schema"])))
    for status, response in operation["responses"].items():
        rows.append((status, _answer_of(response)))
    token = {1: "needs a token", 2: "a token is optional"}.get(len(operation.get("security", [])), "")
    table = "".join(f"<tr><td><code>{escape(name)}</code><td>{says}" for name, says in rows)
    return (
        f"<details><summary><span class=m>{method}</span><code>{escape(path)}</code> {escape(operation['summary'])}</summary>"
        f"<p>{escape(operation.get('description', ''))} {token}</p><table>{table}</table></details>"
    )


def _answer_of(response: dict[str, Any]) -> str:
    if "$ref" in response:
        return "<a href=#Problem>Problem</a>"
    for content_type, content in response.get("content", {}).items():
        return f"{_type_of(content['schema'])} <code>{escape(content_type)}</code>"
    return "empty"


def _shape(name: str, schema: dict[str, Any]) -> str:
    needed = schema.get("required", [])
    rows = "".join(
        f"<tr><td><code>{escape(field)}{'' if field in needed else '?'}</code><td>{_type_of(of)}"
        for field, of in schema.get("properties", {}).items()
    )
    about = escape(schema.get("description", ""))
    return f"<details id={name}><summary><code>{name}</code> {about}</summary><table>{rows}</table></details>"


def _type_of(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[-1])
        return f"<a href=#{name}>{name}</a>"
    for key in ("oneOf", "anyOf"):
        if key in schema:
            return " or ".join(_type_of(one) for one in schema[key])
    if schema.get("type") == "array":
        return f"list of {_type_of(schema.get('items', {}))}"
    return escape(" ".join(str(schema[key]) for key in ("type", "format", "description") if key in schema)) or "anything"
