"""`twit import users`: accounts from CSV or JSON lines, as `twit export users` writes them. Running it again changes nothing.

Nobody brought in can log in before he is given a password: none is read here.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from ...core import profiles
from ...core.errors import Conflict, Invalid, NotFound
from ...core.model import NewAccount, User
from ...core.service import Twit
from .lines import BadLine, BadLines
from .people import Progress, batches

TEXTS = ("email", "display_name", "bio", "location", "website", "profile_image", "banner_image")
PASSED_OVER = frozenset({"id", "is_verified", "created_at", "metrics", "status"})  # an export has them; here they are made anew
KNOWN = frozenset({"username", "is_private", *TEXTS}) | PASSED_OVER
YES, NO = frozenset({"yes", "true", "1"}), frozenset({"no", "false", "0", ""})
LINE_CHARS_MAX = 65_536
BATCH = 1_000

Row = Mapping[str, object]


class UsersReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the file held and what came of it. `standing` accounts were there before and are left alone."""

    rows: int
    created: int
    standing: int
    bad_lines: int
    bad: tuple[BadLine, ...]


class _Wanted(msgspec.Struct, frozen=True):
    """A line that may become an account."""

    line: int
    account: NewAccount
    changes: dict[str, object]


async def import_users(twit: Twit, path: Path, *, now_ms: int, progress: Progress) -> UsersReport:
    """Make an account of every line whose name is free. Lines that break a rule are reported by number and skipped."""
    bad = BadLines()
    rows = list(_rows(path, bad))
    wanted: dict[str, _Wanted] = {}
    for line, row in rows:
        try:
            one = _wanted(twit, line, row, now_ms)
        except Invalid as error:
            bad.add(line, str(error))
            continue
        first = wanted.setdefault(one.account.username.casefold(), one)
        if first is not one:
            bad.add(line, f"the name {one.account.username} was on line {first.line} already")
    created = standing = 0
    for chunk in batches(list(wanted.values()), BATCH):
        made, stood = await _ensure(twit, list(chunk), bad)
        created, standing = created + made, standing + stood
        progress("accounts", created + standing, len(wanted))
    return UsersReport(rows=len(rows), created=created, standing=standing, bad_lines=bad.count, bad=tuple(sorted(bad.kept, key=lambda one: one.number)))


async def _ensure(twit: Twit, chunk: list[_Wanted], bad: BadLines) -> tuple[int, int]:
    """Make those whose names are free; returns how many were made and how many stood."""
    ids = await twit.stores.accounts.ids_of([one.account.username for one in chunk])
    fresh = [one for one, user_id in zip(chunk, ids, strict=True) if not user_id]
    try:
        made = dict(zip((one.line for one in fresh), await twit.accounts.add([one.account for one in fresh]), strict=True)) if fresh else {}
    except Conflict:  # an e-mail is somebody's: find out whose line it is
        made = await _one_by_one(twit, fresh, bad)
    for one in fresh:
        if one.changes and one.line in made:
            await twit.update_profile(made[one.line].user_id, one.changes)
    return len(made), len(chunk) - len(fresh)


async def _one_by_one(twit: Twit, fresh: list[_Wanted], bad: BadLines) -> dict[int, User]:
    made: dict[int, User] = {}
    for one in fresh:
        try:
            (made[one.line],) = await twit.accounts.add([one.account])
        except Conflict as error:
            bad.add(one.line, str(error))
    return made


def _wanted(twit: Twit, line: int, row: Row, now_ms: int) -> _Wanted:
    unknown = sorted(set(row) - KNOWN)
    if unknown:
        what = f"unknown field {unknown[0][:50]!r}"
        raise Invalid(what)
    if any(row.get(name) is not None and not isinstance(row[name], str) for name in ("username", *TEXTS)):
        raise Invalid("names and profile fields are texts")
    texts = {name: str(row[name]) for name in TEXTS if row.get(name)}
    name = profiles.checked_username(str(row.get("username") or ""), twit.limits)
    account = NewAccount(
        username=name, email=profiles.checked_email(texts.pop("email"), twit.limits) if "email" in texts else "", password_hash="",
        display_name=profiles.checked_display_name(texts.pop("display_name", ""), name, twit.limits), created_ms=now_ms,
    )  # fmt: skip
    changes: dict[str, object] = {**texts, **({"is_private": True} if _private(row) else {})}
    profiles.changed(User(user_id=0, username=name, display_name=name), changes, twit.limits)
    return _Wanted(line, account, changes)


def _private(row: Row) -> bool:
    said = str(row.get("is_private", "")).lower()
    if said not in YES | NO:
        what = f"is_private is {said[:50]!r}, not yes or no"
        raise Invalid(what)
    return said in YES


def _rows(path: Path, bad: BadLines) -> Iterator[tuple[int, Row]]:
    """(line number, fields). A file that begins with { is JSON lines, any other CSV with a header."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.read(1)
            file.seek(0)
            yield from _json_rows(file, bad) if first == "{" else _csv_rows(file, bad)
    except FileNotFoundError:
        what = f"no file {path}"
        raise NotFound(what, try_="give the path of a .csv or .jsonl file") from None
    except UnicodeDecodeError as error:
        what = f"{path.name} is not UTF-8: {error.reason}"
        raise Invalid(what, field="file") from None
    except OSError as error:
        what = f"cannot read {path}: {error.strerror}"
        raise Invalid(what, field="file") from None


def _json_rows(lines: Iterator[str], bad: BadLines) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line) if len(line) <= LINE_CHARS_MAX else None
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            yield number, row
        else:
            bad.add(number, "not a JSON object on one line")


def _csv_rows(lines: Iterator[str], bad: BadLines) -> Iterator[tuple[int, Row]]:
    reader = csv.DictReader(lines, strict=True)
    if not reader.fieldnames or "username" not in reader.fieldnames:
        raise Invalid("the file has no username column", field="file", try_="begin with a header such as username,email,display_name")
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            bad.add(reader.line_num, str(error))
            continue
        if row is None:
            return
        if None in row or None in row.values():
            bad.add(reader.line_num, f"not {len(reader.fieldnames)} fields, as the header has")
        else:
            yield reader.line_num, row
