"""`python -m tests.live.servers up|down|wipe|status|start NAME|stop NAME|kill NAME`."""

from __future__ import annotations

import sys

from . import SERVERS, Trouble, down, kill, start, state, stop, up, wipe

ACTIONS = {"start": start, "stop": stop, "kill": kill}
USAGE = f"usage: python -m tests.live.servers up [NAME…] | down | wipe | status | start|stop|kill NAME\nNAME: {', '.join(SERVERS)}"


def _tell(line: str) -> None:
    print(line, flush=True)


def _status() -> int:
    rows = state()
    for name, what, address, resident in rows:
        print(f"{name:<14}{what:<9}{address:<18}{resident / 2**20:6.0f} MiB")
    return 0 if all(what == "ready" for _, what, _, _ in rows) else 1


def main(words: list[str]) -> int:
    """0 done, 1 trouble or something is down, 2 usage."""
    try:
        match words:
            case ["up", *names]:
                up(names, _tell) if names else up(tell=_tell)
            case ["down"]:
                down(_tell)
            case ["wipe"]:
                wipe(_tell)
            case ["status"]:
                return _status()
            case [("start" | "stop" | "kill") as action, name]:
                ACTIONS[action](name, _tell)
            case _:
                print(USAGE, file=sys.stderr)
                return 2
    except Trouble as trouble:
        print(f"error: {trouble}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
