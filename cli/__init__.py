"""The command line: parses, confirms, draws. The only home of click and rich; what commands do is in core and ops.

`main` is the entry point. Everything a command needs is imported when it runs, so that `twit --help` is quick.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code: 0, 1, 2, 3, 4, 5, 75 or 130 (see `cli/failures.py`)."""
    try:
        from .root import root
    except KeyboardInterrupt:  # before there is anything that could tell it better
        raise SystemExit(130) from None
    root.main(args=list(argv) if argv is not None else None)
