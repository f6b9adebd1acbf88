"""Which settings there are, and the shape of each. A shape turns what a file, a variable or a flag says into the value."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from .limits import Limits

LIMIT_NAMES = frozenset(Limits.__struct_fields__)
CONTEXT_NAME = re.compile(r"[A-Za-z0-9_-]{1,50}")
OUTPUTS = ("table", "json", "jsonl", "csv", "name")
COLORS = ("auto", "always", "never")
KINDS = ("embedded", "live", "simulated")
SERVERS = ("redis", "cassandra", "mysql", "kafka", "elasticsearch", "s3")
SECRETS = frozenset(f"{server}_password" for server in SERVERS)
LAYOUTS = ("list", "sorted-set")

Shape = Callable[[object], object]

_NAMESPACE = re.compile(r"[a-z][a-z0-9_]{0,30}")
_MANY = re.compile(r"(\d+(?:\.\d+)?)([kKmMbBgG])")
_TIMES = {"k": 1_000, "m": 1_000_000, "b": 1_000_000_000, "g": 1_000_000_000}


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


def count(value: object) -> int:
    """How many: a whole number, or one in thousands, millions, billions such as 20k, 500M, 1.5B."""
    try:
        if isinstance(value, str) and (found := _MANY.fullmatch(value.strip())):
            return round(float(found[1]) * _TIMES[found[2].lower()])
        return number(value)
    except ValueError:
        msg = "a number such as 20000, 20k or 500M"
        raise ValueError(msg) from None


def factor(value: object) -> float:
    """A number above 0."""
    try:
        found = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else 0.0
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        msg = "a number above 0"
        raise ValueError(msg)
    return found


def moment(value: object) -> str:
    """A date, or date and time, of ISO 8601; UTC where it names no offset."""
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        msg = "a time such as 2026-09-22T14:12:00Z"
        raise ValueError(msg) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).isoformat().replace("+00:00", "Z")


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


def at_least_one(value: object) -> int:
    """A whole number from 1 up."""
    try:
        found = number(value)
    except ValueError:
        found = 0
    if found < 1:
        msg = "a whole number from 1 up"
        raise ValueError(msg)
    return found


def namespace(value: object) -> str:
    """What may begin the name of a keyspace, a topic and a key alike."""
    if not isinstance(value, str) or not _NAMESPACE.fullmatch(value):
        msg = "a letter and then up to 30 small letters, digits or _"
        raise ValueError(msg)
    return value


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
    "contexts.world.kind": "simulated",
    "contexts.world.users": 500_000_000,
    "contexts.world.seed": 7,
    "contexts.world.preset": "design",
}
VARIABLES = {
    "TWIT_CONTEXT": "default_context",
    "TWIT_DATA": "data",
    "TWIT_RING": "ring",
    "TWIT_WORLD_USERS": "users",
    "TWIT_WORLD_SEED": "seed",
    "TWIT_WORLD_PRESET": "preset",
    "TWIT_WORLD_AT": "at",
    "TWIT_WORLD_SPEED": "speed",
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
    "users": count,
    "seed": number,
    "preset": text,
    "at": moment,
    "speed": factor,
    **dict.fromkeys(SERVERS, texts),
    "namespace": namespace,
    "partitions": at_least_one,
    "replication": at_least_one,
    "local_datacenter": text,
    "layout": one_of(*LAYOUTS),
    **{f"{server}_user": text for server in SERVERS},
    **{f"{server}_ca_file": text for server in SERVERS},
    **{f"{secret}{way}": text for secret in sorted(SECRETS) for way in ("_file", "_command")},
}
_EVERY_KIND = frozenset({"kind", "protected", "allow_load"})
KEYS_OF_KIND = {
    "embedded": _EVERY_KIND | {"data", "ring"},
    "simulated": _EVERY_KIND | {"data", "users", "seed", "preset", "at", "speed"},
    "live": frozenset(CONTEXT_KEYS) - {"data", "ring", "users", "seed", "preset", "at", "speed"},
}
OF_CHOSEN = ("data", "ring", "users", "seed", "preset", "at", "speed")  # their variables mean the chosen context
PATH_KEYS = frozenset({"data", "ring", *(f"{secret}_file" for secret in SECRETS), *(f"{server}_ca_file" for server in SERVERS)})
