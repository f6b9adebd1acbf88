"""Live contexts: their settings as the stores take them, opening them, making their schemas, asking how they are.

Never reads or shows a secret but to hand it to a driver.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import Invalid, Mismatch, StoreDown, Unsupported
from .invocation import terminal
from .output import Sheet, shown

if TYPE_CHECKING:
    from ..core.clock import Clock
    from ..core.limits import Limits
    from ..core.ports import Stores
    from ..core.settings import ContextSettings
    from ..core.stores.live.config import Access, LiveConfig

DRIVERS = ("redis", "hiredis", "cassandra", "pymysql", "kafka")
SERVERS = {  # those that a live context cannot do without, and what an address of each looks like
    "redis": "127.0.0.1:7101",
    "cassandra": "127.0.0.1:7942",
    "mysql": "127.0.0.1:7306",
    "kafka": "127.0.0.1:7092",
}
PLAIN = ("namespace", "partitions", "replication", "local_datacenter", "layout")  # keys that the stores take as they are


def live_config(context: ContextSettings) -> LiveConfig:
    """What it takes to reach the context's servers; secrets are read here. Drivers' own logs are silenced: what a driver says
    goes wrong comes back as an error of ours.

    Raises `Unsupported` where the extra is not installed, `Invalid` for a key that is missing or an address that is none.
    """
    _need_drivers(context)
    if not logging.getLogger().isEnabledFor(logging.INFO):  # with --verbose they may say what they like
        for driver in DRIVERS:
            logging.getLogger(driver).setLevel(logging.CRITICAL)
    from ..core.stores.live.config import LiveConfig

    for server, example in SERVERS.items():
        if server not in context.values:
            what = f"live context {context.name} does not say where {server} is ({context.source})"
            raise Invalid(what, field=f"contexts.{context.name}.{server}", code="SETTINGS", try_=f'{server} = ["{example}"]')
    access = {server: _access(context, server) for server in SERVERS}
    return LiveConfig(**access, **{key: context.values[key].value for key in PLAIN if key in context.values})  # type: ignore[arg-type]


async def open_live(context: ContextSettings, limits: Limits, clock: Clock, name: str) -> Stores:
    """The context's stores; `name` says to other processes who this one is."""
    config = live_config(context)
    from ..core.stores.live.stores import open_live_stores

    return await open_live_stores(config, limits, clock, name)


def init_context(context: ContextSettings, limits: Limits, *, confirm: str, reason: str) -> None:
    """`twit context init` of a live context: bring each store's schema to this version, and show what was done."""
    config = live_config(context)
    from ..core.stores.live.check import init_stores

    if context.protected:
        _confirm(context, confirm, reason)
    rows: list[dict[str, str]] = []

    def told(name: str, done: str) -> None:
        terminal().detail(f"{name}: {done}")
        rows.append({"name": name, "done": done})

    asyncio.run(init_stores(config, limits, told))
    lines = [f"{context.name}  live  {config.namespace}", *(f"✓ {row['name']:<16}{shown(row['done'])}" for row in rows)]
    document = {"context": context.name, "namespace": config.namespace, "stores": rows}
    terminal().show(Sheet(rows=rows, columns={"name": "name", "done": "done"}, name="name", document=document, lines=lines))


def check_context(context: ContextSettings, limits: Limits, secrets: Sequence[dict[str, str]]) -> None:
    """`twit context check` of a live context. Raises `StoreDown` where a store is down, `Mismatch` where one does not fit."""
    config = live_config(context)
    from ..core.stores.live.check import check_stores

    found = asyncio.run(check_stores(config, limits))
    rows = [
        *({**one, "found": "", "code": "", "try": ""} for one in secrets),
        *(
            {"name": one.store, "status": one.status, "found": one.found, "code": one.code, "try": _to_try(one.try_, context.name)}
            for one in found
        ),
    ]
    columns = {"name": "name", "status": "status", "found": "found", "try": "try"}
    lines = [f"{context.name}  live  {config.namespace}", *(line for row in rows for line in _lines(row))]
    document = {"context": context.name, "kind": context.kind, "data": str(context.folder), "checks": rows}
    terminal().show(Sheet(rows=rows, columns=columns, name="name", document=document, lines=lines))
    down = [one.store for one in found if one.down]
    if down:
        what = f"context {context.name}: {', '.join(down)} down"
        raise StoreDown(what, meaning="What needs them answers 503 until they are back.", try_=f"twit context show {context.name}")
    unfit = [row for row in rows if row["code"]]
    if unfit:
        what = f"context {context.name}: {', '.join(row['name'] for row in unfit)} not well"
        raise Mismatch(what, code="CHECK_FAILED", try_=unfit[0]["try"])


def _to_try(text: str, context: str) -> str:
    """The core says NAME, or nothing, for the context that it does not know."""
    return f"{text} {context}" if text == "twit context init" else text.replace("NAME", context)


def _lines(row: dict[str, str]) -> list[str]:
    line = f"{'✗' if row['code'] else '✓'} {row['name']:<16}{shown(row['status'])}{'  ' if row['found'] else ''}{shown(row['found'])}"
    return [line, f"{'':<18}try:  {row['try']}"] if row["try"] else [line]


def _confirm(context: ContextSettings, confirm: str, reason: str) -> None:
    """As a procedure that cannot be undone asks on a protected context."""
    from ..ops.plan import Level, Options, Plan
    from ..ops.plan import confirm as confirmed
    from .operator import TerminalOperator

    plan = Plan(
        procedure="context-init", context=context.name, unit="stores", count=len(SERVERS), level=Level.MODERATE, facts=(), undo="none",
        fingerprint="",
    )  # fmt: skip
    confirmed(plan, Options(confirm=confirm, reason=reason), TerminalOperator(terminal(), ""), protected=True)


def _need_drivers(context: ContextSettings) -> None:
    lacking = [driver for driver in DRIVERS if find_spec(driver) is None]
    if lacking:
        what = f"context {context.name} is live, and {', '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} not installed"
        raise Unsupported(what, code="NO_LIVE", meaning="The drivers come with the extra twit[live].", try_="pip install 'twit[live]'")


def _access(context: ContextSettings, server: str) -> Access:
    from ..core import secret_settings
    from ..core.stores.live.config import Access

    values, secret = context.values, f"{server}_password"
    addresses = values[server].value
    for address in addresses if isinstance(addresses, tuple) else ():
        _check_address(context, server, address)
    password = secret_settings.read(context, secret).reveal() if secret in secret_settings.names(context) else ""
    user, ca_file = (str(values[key].value) if key in values else "" for key in (f"{server}_user", f"{server}_ca_file"))
    if ca_file and not Path(ca_file).is_file():
        what = f"{values[f'{server}_ca_file'].source}: {ca_file} is not there"
        raise Invalid(what, field=f"{server}_ca_file", code="SETTINGS", try_="the certificate of the authority that signed the server's")
    return Access(addresses=addresses, user=user, password=password, ca_file=ca_file)  # type: ignore[arg-type]


def _check_address(context: ContextSettings, server: str, address: str) -> None:
    host, _, port = address.partition("/")[0].rpartition(":")
    fits = host and port.isdigit() and 0 < int(port) <= 65_535 and (server == "mysql" or "/" not in address) and not address.endswith("/")
    if not fits:
        source = context.values[server].source
        what = f"{source}: {address!r} is no address of {server}"
        raise Invalid(what, field=f"contexts.{context.name}.{server}", code="SETTINGS", try_=f'such as "{SERVERS[server]}"')
