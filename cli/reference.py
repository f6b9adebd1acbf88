"""docs/cli.md, made from the commands themselves: `python -m twit.cli.reference > docs/cli.md`. A test holds the two together."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from .root import root

WIDTH = 100
HEAD = """# The command line

Made by `python -m twit.cli.reference > docs/cli.md` from the commands themselves; edit their docstrings, not this file.

stdout is results only, in the format of `-o table|json|jsonl|csv|name`; everything else goes to stderr. `-o json` shows the
objects of the HTTP API. People are `@name` or a numeric id. Nothing asks for anything off a terminal or with `--no-input`.

## Exit codes

| code | means |
|---|---|
| 0 | done, or nothing to do |
| 1 | a bug; the message names the file with the traceback |
| 2 | usage or settings |
| 3 | refused: not found, not allowed, in conflict, or not in this context |
| 4 | the answer is no: a mismatch, a threshold, a failed check |
| 5 | a store is unreachable or did not answer in time |
| 75 | stopped, and can be resumed |
| 130 | interrupted before anything was written |

## Settings

flag > environment > `./twit.toml` > `~/.config/twit/twit.toml` > built-in; `twit config explain KEY` says where a value came
from. Unknown keys are refused with file and line.

| key | variable | means |
|---|---|---|
| `default_context` | `TWIT_CONTEXT` | which context commands work on |
| `contexts.NAME.kind` | | `embedded`, `simulated` or `live` |
| `contexts.NAME.data` | `TWIT_DATA` (of the chosen context) | the data directory; default: XDG data home |
| `contexts.NAME.ring` | `TWIT_RING` (of the chosen context) | where cached timelines lie, such as /dev/shm/twit; default: beside the data |
| `contexts.NAME.users`, `.seed`, `.preset` | `TWIT_WORLD_USERS`, `_SEED`, `_PRESET` | the population of a simulated context: 500M, 7, `design` |
| `contexts.NAME.at`, `.speed` | `TWIT_WORLD_AT`, `_SPEED` | where its clock stands when it is opened, and how fast it runs |
| `contexts.NAME.redis`, `.cassandra`, `.mysql`, `.kafka` | | where the servers of a live context are; see docs/live.md |
| `contexts.NAME.redis_user`, `.redis_ca_file`, and so for each server | | who we are there, and TLS |
| `contexts.NAME.namespace`, `.partitions`, `.replication` | | what names on the servers begin with; of topics and copies: `twit`, 16, 1 |
| `contexts.NAME.local_datacenter`, `.layout` | | of Cassandra; of cached timelines in Redis, `list` or `sorted-set` |
| `contexts.NAME.protected` | | operations ask by name and want `--reason` |
| `limits.NAME` | `TWIT_LIMITS_NAME` | one limit of `core/limits.py` |
| `rate_limits` | `TWIT_RATE_LIMITS` | `off` for load tests, with a warning |
| `output`, `color` | `TWIT_OUTPUT`, `TWIT_COLOR` | defaults of `-o` and `--color` |
| `host`, `port` | `TWIT_HOST`, `TWIT_PORT` | where `twit serve` listens |

Secrets (`contexts.NAME.mysql_password_file`, `…_command`, and so for each server) come from a file that only you can read or
from a command, named in the file in your home; they are shown nowhere.
"""


def reference() -> str:
    """The whole page."""
    parts = [HEAD, "## Commands\n"]
    for path, command in commands():
        context = command.make_context(path, [], resilient_parsing=True, terminal_width=WIDTH, max_content_width=WIDTH)
        parts.append(f"### `{path}`\n\n```\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


def commands(group: click.Group = root, path: str = "twit") -> Iterator[tuple[str, click.Command]]:
    """Every command with its path, groups before what is in them."""
    yield path, group
    context = group.make_context(path, [], resilient_parsing=True)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        elif command is not None:
            yield f"{path} {name}", command


if __name__ == "__main__":
    sys.stdout.write(reference())
