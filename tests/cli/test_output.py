"""One result in five formats, and nothing in it that drives the reader's terminal."""

from __future__ import annotations

import csv
import io
import json

import pytest

from twit.cli.output import Sheet, shown
from twit.cli.render import Stream, render

ROWS = [
    {"id": "1", "user": {"name": "ada"}, "count": 3, "text": 'one, two\n"three"', "private": True},
    {"id": "22", "user": {"name": "grace"}, "count": 12, "text": None},
]
COLUMNS = {"id": "id", "name": "user.name", "count": "count", "text": "text", "private": "private"}
SHEET = Sheet(rows=ROWS, columns=COLUMNS, name="id")


def test_json_is_the_document_and_jsonl_its_rows():
    assert json.loads(render(SHEET, "json")) == ROWS
    assert json.loads(render(Sheet(rows=ROWS, columns=COLUMNS, name="id", document={"rows": 2}), "json")) == {"rows": 2}
    assert [json.loads(line) for line in render(SHEET, "jsonl").splitlines()] == ROWS


def test_csv_reads_back_with_commas_quotes_and_line_breaks():
    header, one, two = csv.reader(io.StringIO(render(SHEET, "csv")))
    assert header == list(COLUMNS)
    assert one == ["1", "ada", "3", 'one, two\n"three"', "yes"]
    assert two == ["22", "grace", "12", "", ""]


def test_name_prints_one_id_a_line():
    assert render(SHEET, "name") == "1\n22\n"


def test_a_table_has_its_headings_and_numbers_to_the_right():
    assert render(SHEET, "table") == (
        'ID  NAME   COUNT  TEXT              PRIVATE\n'
        '1   ada        3  one, two⏎"three"  yes\n'
        '22  grace     12\n'
    )  # fmt: skip


def test_a_table_on_a_terminal_fits_it():
    lines = render(Sheet(rows=[{"id": "1", "text": "word " * 40}], columns={"id": "id", "text": "text"}, name="id"), "table", width=40).splitlines()
    assert len(lines) > 3
    assert max(map(len, lines)) <= 40


def test_an_empty_result_is_empty_and_still_json():
    empty = Sheet(rows=[], columns=COLUMNS, name="id")
    assert (render(empty, "table"), render(empty, "name"), render(empty, "jsonl")) == ("", "", "")
    assert json.loads(render(empty, "json")) == []
    assert render(empty, "csv") == "id,name,count,text,private\n"


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "name"])
def test_a_stream_of_rows_is_what_one_sheet_of_them_is(form):
    stream = Stream(form, COLUMNS, "id")
    text = stream.begin() + stream.rows(ROWS[:1]) + stream.rows([]) + stream.rows(ROWS[1:]) + stream.end()
    if form == "json":
        assert json.loads(text) == ROWS
    else:
        assert text == render(SHEET, form)


def test_an_empty_stream_is_json_too():
    stream = Stream("json", COLUMNS, "id")
    assert json.loads(stream.begin() + stream.rows([]) + stream.end()) == []


@pytest.mark.parametrize(("text", "seen"), [
    ("\x1b[31mred", "␛[31mred"), ("a\tb\x00", "a␉b␀"), ("two\r\nlines\n", "two⏎lines⏎"), ("\x7f\x9b31m", "␡\ufffd31m"),
    ("\u202egnirts", "\ufffdgnirts"), ("zażółć 🦉 👩‍💻", "zażółć 🦉 👩‍💻"), ("[bold]not markup[/bold]", "[bold]not markup[/bold]"),
])  # fmt: skip
def test_texts_are_shown_so_that_no_terminal_acts_on_them(text, seen):
    assert shown(text) == seen
    sheet = Sheet(rows=[{"id": "1", "text": text}], columns={"text": "text"}, name="id")
    assert render(sheet, "table") == f"TEXT\n{seen}\n"
    assert json.loads(render(sheet, "json"))[0]["text"] == text
