"""The arithmetic of the system design, done afresh: every number of its §3, §7.4, §8.1 and §10.3 (and what §8.2, §8.3, §10.1,
§10.2 and its card say of the same things) from inputs that may all be changed, each with a verdict and why.

Closed forms only, nothing is simulated; a planner reads it in a minute and it takes milliseconds.
"""

from __future__ import annotations

from .cache import cache_rows
from .fanout import fanout_rows
from .inputs import ALLOWED, Inputs, checked, inputs_from, number
from .row import Row, Verdict
from .storage import storage_rows
from .text import amount, page
from .traffic import card_rows, traffic_rows

SCHEMA = "twit.estimate/1"

__all__ = ["ALLOWED", "SCHEMA", "Inputs", "Row", "Verdict", "amount", "checked", "document", "estimate", "inputs_from", "number", "page"]


def estimate(inputs: Inputs | None = None) -> list[Row]:
    """Every row, in the order of the system design. Raises `Invalid` for inputs that cannot be."""
    given = checked(inputs or Inputs())
    return [*traffic_rows(given), *storage_rows(given), *cache_rows(given), *fanout_rows(given), *card_rows(given)]


def document(inputs: Inputs, rows: list[Row]) -> dict[str, object]:
    """What `-o json` prints."""
    counts = {verdict.value: sum(row.verdict is verdict for row in rows) for verdict in Verdict}
    return {"schema": SCHEMA, "inputs": inputs.as_dict(), "counts": counts, "rows": [row.as_dict() for row in rows]}
