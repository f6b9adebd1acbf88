"""context: list, show, use, init, check. Which worlds there are and which one commands work on."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .command import Group
from .invocation import current, terminal
from .output import Sheet

if TYPE_CHECKING:
    from ..core.settings import ContextSettings, Settings

COLUMNS = {"name": "name", "kind": "kind", "chosen": "chosen", "protected": "protected", "where": "where", "from": "source"}
name_argument = click.argument("name", required=False)
_DEFAULT = re.compile(r"^[ \t]*default_context[ \t]*=.*$", re.MULTILINE)
_FIRST_TABLE = re.compile(r"^[ \t]*\[", re.MULTILINE)


@click.group("context", cls=Group, examples=("twit context list", "twit context init stage --data ~/stage", "twit context use stage"))
def context() -> None:
    """The worlds that commands work on."""


@context.command("list", examples=("twit context list", "twit context list -o name"))
def list_() -> None:
    """List contexts; the chosen one is marked."""
    settings = current().settings
    rows = [_row(settings, one) for one in settings.contexts.values()]
    terminal().show(Sheet(rows=rows, columns=COLUMNS, name="name", document={"contexts": rows}))


@context.command("show", examples=("twit context show", "twit context show staging -o json"))
@name_argument
def show(name: str | None) -> None:
    """Show one context with all its settings.

    Without NAME the one that commands work on. Secrets are never shown.
    """
    from ..core import secret_settings

    settings = current().settings
    found = settings.named(name) if name else settings.context
    values = {key: secret_settings.shown(key, one.value) for key, one in sorted(found.values.items())}
    row = {**_row(settings, found), "settings": {key: list(one) if isinstance(one, tuple) else one for key, one in values.items()}}
    lines = [f"{found.name}  {found.kind}{'  (chosen)' if row['chosen'] else ''}"]
    lines += [f"  {key:<24}{values[key]}   from {found.values[key].source}" for key in values]
    terminal().show(Sheet(rows=[row], columns=COLUMNS, name="name", document=row, lines=lines))


@context.command("use", examples=("twit context use staging", "twit context use local"))
@click.argument("name")
def use(name: str) -> None:
    """Make a context the one that commands work on.

    Written to ~/.config/twit/twit.toml; --context, TWIT_CONTEXT and ./twit.toml still win.
    """
    settings = current().settings
    settings.named(name)
    text = _text(settings.user_file)
    line = f"default_context = {json.dumps(name)}"
    table = _FIRST_TABLE.search(text)
    top, rest = (text[: table.start()], text[table.start() :]) if table else (text, "")
    top = _DEFAULT.sub(lambda _: line, top, count=1) if _DEFAULT.search(top) else f"{line}\n{top}"
    _write(settings.user_file, top + rest)
    terminal().show(_changed(name, settings.user_file, f"{name} is the context now"))
    winner = settings.explain("default_context")[0]
    if winner.source in {"--context", "TWIT_CONTEXT"} or winner.source.startswith("./twit.toml"):
        terminal().warn(f"{winner.source} still says {winner.value}")


@context.command("init", examples=("twit context init stage --data ~/stage", "twit context init here --data ./data --here"))
@click.argument("name")
@click.option("--data", metavar="DIR", help="Where its files go.  [default: XDG data home]")
@click.option("--protected", is_flag=True, help="Operations on it ask by name and want --reason.")
@click.option("--here", is_flag=True, help="Write ./twit.toml, not the file in your home.")
@click.option("--confirm", default="", metavar="NAME", help="The name of a protected live context, instead of typing it.")
@click.option("--reason", default="", metavar="TEXT", help="Why; wanted by protected live contexts.")
def init(name: str, data: str | None, protected: bool, here: bool, **asked: str) -> None:
    """Make an embedded context and its empty stores, or the schemas of a live one.

    Live and simulated contexts are written into twit.toml by hand. For a live one this brings the schema of each of its stores
    to this version, store by store; what is there already stays, so it may be repeated.
    """
    from ..core.settings_keys import CONTEXT_NAME

    if not CONTEXT_NAME.fullmatch(name):
        message = f"{name!r} cannot name a context: letters, digits, - and _, at most 50"
        raise click.UsageError(message)
    settings = current().settings
    folder = Path(data).expanduser().absolute() if data else None
    file = settings.local_file if here else settings.user_file
    standing = settings.contexts.get(name)
    if standing is not None and standing.kind == "live" and not (data or protected or here):
        from .live import init_context

        init_context(standing, settings.limits, confirm=asked["confirm"], reason=asked["reason"])
        return
    if standing is not None and standing.source != "built-in":
        _refuse_another(standing, folder, protected=protected)
        terminal().show(_changed(name, file, f"{name} is there already", changed=False))
        return
    lines = [f"[contexts.{name}]", 'kind = "embedded"']
    lines += [f"data = {json.dumps(str(folder), ensure_ascii=False)}"] if folder else []
    lines += ["protected = true"] if protected else []
    text = _text(file)
    _write(file, text + ("\n" if text and not text.endswith("\n\n") else "") + "\n".join(lines) + "\n")
    _make_stores(name)
    terminal().show(_changed(name, file, f"{name} made"))


@context.command("check", examples=("twit context check", "twit context check staging"))
@name_argument
def check(name: str | None) -> None:
    """Open a context's stores and ask each how it is.

    Of a live context: whether each server is there and lets us in, and whether what it holds fits this version; with what to do
    where it does not. Exit 4 where a store is not well, 5 where one is down or the stores do not open.
    """
    from ..core.errors import Mismatch

    invocation = current()
    if name:
        invocation.settings.named(name)
        invocation.choose(name)
    found = invocation.settings.context
    secrets = _secrets(found)
    if found.kind == "live":
        from .live import check_context

        check_context(found, invocation.settings.limits, secrets)
        return
    folder = found.folder
    rows = [*secrets, *({"name": one, "status": status} for one, status in _health().items())]
    lines = [f"{'✓' if row['status'] == 'ok' else '✗'} {row['name']:<12}{row['status']}" for row in rows]
    document = {"context": found.name, "kind": found.kind, "data": str(folder), "checks": rows}
    columns = {"name": "name", "status": "status"}
    terminal().show(Sheet(rows=rows, columns=columns, name="name", document=document, lines=[f"{found.name}  {folder}", *lines]))
    bad = [row["name"] for row in rows if row["status"] != "ok"]
    if bad:
        what = f"context {found.name}: {', '.join(bad)} not well"
        raise Mismatch(what, code="CHECK_FAILED", meaning=f"its files are in {folder}", try_=f"twit context show {found.name}")


def _health() -> dict[str, str]:
    from .contexts import World, perform

    async def act(world: World) -> dict[str, str]:
        return await world.stores.health.check()

    return perform(current(), act, create=False)


def _secrets(found: ContextSettings) -> list[dict[str, str]]:
    """Reading a secret is the check; what was read is dropped."""
    from ..core import secret_settings

    for secret in secret_settings.names(found):
        secret_settings.read(found, secret)
    return [{"name": secret, "status": "ok"} for secret in secret_settings.names(found)]


def _make_stores(name: str) -> None:
    from .contexts import World, perform

    invocation = current()
    invocation.choose(name)

    async def act(world: World) -> int:
        return await world.stores.accounts.count()

    perform(invocation, act)


def _refuse_another(standing: ContextSettings, folder: Path | None, *, protected: bool) -> None:
    if standing.kind != "embedded" or standing.protected != protected or (folder is not None and standing.data != folder):
        from ..core.errors import Conflict

        what = f"a context named {standing.name} is there with other settings ({standing.source})"
        raise Conflict(what, code="CONTEXT_EXISTS", try_=f"twit context show {standing.name}")


def _row(settings: Settings, one: ContextSettings) -> dict[str, Any]:
    where = str(one.data) if one.data is not None else ""
    chosen = one.name == settings.context_name
    return {"name": one.name, "kind": one.kind, "chosen": chosen, "protected": one.protected, "where": where, "source": one.source}


def _changed(name: str, file: Path, line: str, *, changed: bool = True) -> Sheet:
    row = {"name": name, "file": str(file), "changed": changed}
    return Sheet(rows=[row], columns={key: key for key in row}, name="name", document=row, lines=[line])


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""


def _write(file: Path, text: str) -> None:
    from ..core.errors import StoreFull
    from ..core.runs import write_atomically

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"{file} cannot be written: {error.strerror}"
        raise StoreFull(what, code="SETTINGS_UNWRITABLE", meaning="Nothing was changed.") from error
    write_atomically(file, text.encode("utf-8"))
