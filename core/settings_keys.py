"""Which settings there are, and the shape of each. A shape turns what a file, a variable or a flag says into the value."""

from __future__ import annotations

import re
from collections.abc import Callable

from .limits import Limits

LIMIT_NAMES = frozenset(Limits.__struct_fields__)
CONTEXT_NAME = re.compile(r"[A-Za-z0-9_-]{1,50}")
OUTPUTS = ("table", "json", "jsonl", "csv", "name")
COLORS = ("auto", "always", "never")
KINDS = ("embedded", "live", "simulated")
SERVERS = ("redis", "cassandra", "mysql", "kafka", "elasticsearch", "s3")
SECRETS = frozenset(f"{server}_password" for server in SERVERS)

Shape = Callable[[object], object]


def text(value: object) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        msg = "a text in quotes"
        raise ValueError(msg)
    return value


def texts(value: object) -> tuple[str, ...]:
    """One text or a list of them."""
    return tuple(text(one) for one in value) if isinstance(value, list) and value else (text(value),)


def number(value: object) -> int:
    """A whole number, or the digits of one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().removeprefix("-").isascii() and value.strip().removeprefix("-").isdigit():
        return int(value)
    msg = "a whole number"
    raise ValueError(msg)


def port(value: object) -> int:
    """0 (any free one) to 65535."""
    try:
        found = number(value)
    except ValueError:
        found = -1
    if not 0 <= found <= 65_535:
        msg = "a port, 0 to 65535"
        raise ValueError(msg)
    return found


def switch(value: object) -> bool:
    """On or off."""
    said = {"on": True, "off": False, "true": True, "false": False}.get(str(value).lower())
    if said is None:
        msg = "true or false, on or off"
        raise ValueError(msg)
    return said


def one_of(*names: str) -> Shape:
    """One of these words."""

    def shape(value: object) -> str:
        if value not in names:
            msg = f"one of {', '.join(names)}"
            raise ValueError(msg)
        return str(value)

    return shape


TOP_KEYS: dict[str, Shape] = {
    "default_context": text,
    "output": one_of(*OUTPUTS),
    "color": one_of(*COLORS),
    "rate_limits": switch,
    "host": text,
    "port": port,
}
BUILT_IN: dict[str, object] = {
    "default_context": "local",
    "output": "table",
    "color": "auto",
    "rate_limits": True,
    "host": "127.0.0.1",
    "port": 8420,
    "contexts.local.kind": "embedded",
}
VARIABLES = {
    "TWIT_CONTEXT": "default_context",
    "TWIT_DATA": "data",
    "TWIT_RING": "ring",
    "TWIT_OUTPUT": "output",
    "TWIT_COLOR": "color",
    "TWIT_RATE_LIMITS": "rate_limits",
    "TWIT_HOST": "host",
    "TWIT_PORT": "port",
}

CONTEXT_KEYS: dict[str, Shape] = {
    "kind": one_of(*KINDS),
    "protected": switch,
    "allow_load": switch,
    "data": text,
    "ring": text,
    "users": text,
    "seed": number,
    **dict.fromkeys(SERVERS, texts),
    **{f"{server}_user": text for server in SERVERS},
    **{f"{secret}{way}": text for secret in sorted(SECRETS) for way in ("_file", "_command")},
}
_EVERY_KIND = frozenset({"kind", "protected", "allow_load"})
KEYS_OF_KIND = {
    "embedded": _EVERY_KIND | {"data", "ring"},
    "simulated": _EVERY_KIND | {"data", "users", "seed"},
    "live": frozenset(CONTEXT_KEYS) - {"data", "ring", "users", "seed"},
}
FOLDERS = ("data", "ring")  # their variables mean the chosen context
PATH_KEYS = frozenset({*FOLDERS, *(f"{secret}_file" for secret in SECRETS)})
