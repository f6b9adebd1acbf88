"""config: settings with their values and the places that these came from. Secrets are never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .command import Group
from .invocation import current, terminal
from .output import Sheet

if TYPE_CHECKING:
    from ..core.settings_file import Setting

COLUMNS = {"key": "key", "value": "value", "from": "source"}


@click.group("config", cls=Group, examples=("twit config list", "twit config explain data", "twit config explain TWIT_CONTEXT"))
def config() -> None:
    """Settings, and where each came from."""


@config.command("list", examples=("twit config list", "twit config list --set -o json"))
@click.option("--set", "only_set", is_flag=True, help="Leave out what is built in.")
def list_(only_set: bool) -> None:
    """List every setting with its value and where it came from."""
    settings = current().settings
    rows = [_row(key, settings.explain(key)[0]) for key in settings.keys()]  # noqa: SIM118 - not a mapping
    rows = [row for row in rows if not only_set or row["source"] != "built-in"]
    terminal().show(Sheet(rows=rows, columns=COLUMNS, name="key", document={"settings": rows}))


@config.command("explain", examples=("twit config explain data", "twit config explain TWIT_LIMITS_FANOUT_BATCH", "twit config explain limits"))
@click.argument("key")
def explain(key: str) -> None:
    """Show where a setting's value came from.

    All places that set KEY are shown, the one that counts first. KEY may be a variable, or a whole table such as limits.
    """
    settings = current().settings
    inner = [one for one in settings.keys() if one.startswith(f"{key}.")]  # noqa: SIM118 - not a mapping
    if inner:
        rows = [_row(one, settings.explain(one)[0]) for one in inner]
        terminal().show(Sheet(rows=rows, columns=COLUMNS, name="key", document={"settings": rows}))
        return
    whole = settings.whole_key(key)
    layers = [_row(whole, one) for one in settings.explain(key)]
    lines = [f"{whole} = {layers[0]['value']}   from {layers[0]['source']}"]
    lines += [f"  over {row['value']} from {row['source']}" for row in layers[1:]]
    document = {**layers[0], "overridden": layers[1:]}
    terminal().show(Sheet(rows=layers, columns=COLUMNS, name="value", document=document, lines=lines))


def _row(key: str, one: Setting) -> dict[str, Any]:
    from ..core import secret_settings

    value = secret_settings.shown(key, one.value)
    return {"key": key, "value": list(value) if isinstance(value, tuple) else value, "source": one.source}
