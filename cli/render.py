"""A result as text: table, json, jsonl, csv or name. Pure; the terminal writes what comes out."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence

from .output import Sheet, shown

UNBOUNDED = 100_000  # off a terminal a table is as wide as its widest row: nothing is cut


def render(sheet: Sheet, form: str, *, width: int | None = None, color: bool = False) -> str:
    """Return the sheet in `form`, with a line break at its end unless it is empty. `width`: columns of the terminal."""
    if form == "json":
        return _json(sheet.rows if sheet.document is None else sheet.document, indent=2) + "\n"
    if form == "jsonl":
        return "".join(f"{_json(row)}\n" for row in sheet.rows)
    if form == "csv":
        stream = Stream(form, sheet.columns, sheet.name)
        return stream.begin() + stream.rows(sheet.rows)
    if form == "name":
        return "".join(f"{shown(_at(row, sheet.name))}\n" for row in sheet.rows)
    if sheet.lines is not None:
        return "".join(f"{line}\n" for line in sheet.lines)
    return _table(sheet, width, color=color)


class Stream:
    """Rows as they come, in any form but table: what is written is the same as for one sheet of them all."""

    def __init__(self, form: str, columns: Mapping[str, str], name: str) -> None:
        self._form, self._columns, self._name = form, columns, name
        self._began = False

    def begin(self) -> str:
        """What stands before the first row."""
        if self._form == "csv":
            return _csv_rows([list(self._columns)])
        return "[" if self._form == "json" else ""

    def rows(self, rows: Sequence[Mapping[str, object]]) -> str:
        """Some more rows."""
        if self._form == "csv":
            return _csv_rows([[_cell(_at(row, key)) for key in self._columns.values()] for row in rows])
        if self._form == "json":
            first, self._began = not self._began, self._began or bool(rows)
            return "".join(f"{'' if first and not at else ','}\n  {_json(row)}" for at, row in enumerate(rows))
        return render(Sheet(rows=rows, columns=self._columns, name=self._name), self._form)

    def end(self) -> str:
        """What stands after the last one."""
        return "\n]\n" if self._form == "json" else ""


def _json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _csv_rows(rows: Sequence[Sequence[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def _table(sheet: Sheet, width: int | None, *, color: bool) -> str:
    """Columns without lines between them; on a terminal long cells wrap, elsewhere nothing does."""
    if not sheet.rows:
        return ""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold" if color else "")
    for heading, key in sheet.columns.items():
        numbers = all(type(_at(row, key)) in (int, float) for row in sheet.rows)
        table.add_column(Text(heading.upper()), justify="right" if numbers else "left", no_wrap=width is None, overflow="fold")
    for row in sheet.rows:
        table.add_row(*(Text(shown(_cell(_at(row, key)))) for key in sheet.columns.values()))
    out = io.StringIO()
    console = Console(
        file=out, width=width or UNBOUNDED, color_system="standard" if color else None, force_terminal=color,
        highlight=False, legacy_windows=False,
    )  # fmt: skip
    console.print(table)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def _at(row: Mapping[str, object], key: str) -> object:
    """The value at a dotted key; "" where it is absent."""
    value: object = row
    for part in key.split("."):
        value = value.get(part, "") if isinstance(value, Mapping) else ""
    return "" if value is None else value


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple | dict):
        return _json(value)
    return str(value)
