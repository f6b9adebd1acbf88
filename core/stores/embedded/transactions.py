"""What a writer does on its connection: begin, run works, commit, take back. It knows no loop and no thread."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

from ...errors import StoreError

T = TypeVar("T")
Work: TypeAlias = Callable[[sqlite3.Connection], T]
Outcome: TypeAlias = tuple[Any, Exception | None]


class Transactions:
    """The one writing connection of a process. Its methods return errors that belong to callers, and raise none."""

    def __init__(
        self, connection: sqlite3.Connection, translated: Callable[[sqlite3.Error], StoreError], timeout_ms: int
    ) -> None:
        self._connection = connection
        self._translated = translated
        self._lock_wait_ms = timeout_ms * 4 // 5  # less than a call may take, so that the caller hears why
        self._connection.execute("PRAGMA busy_timeout=0")
        self.close = connection.close

    def begin_now(self) -> bool:
        """Begin, unless another process holds the lock or something else is wrong, which `begin` will find."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error:
            return False
        return True

    def begin(self) -> Exception | None:
        """Begin, waiting for another process's lock."""
        try:
            self._connection.execute(f"PRAGMA busy_timeout={self._lock_wait_ms}")
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            finally:
                self._connection.execute("PRAGMA busy_timeout=0")
        except sqlite3.Error as error:
            return self._translated(error)
        return None

    def attempt(self, work: Work[Any]) -> Outcome | None:
        """Run it without a savepoint; `None` if it failed after it wrote, so that what it wrote must be taken back."""
        connection = self._connection
        before = connection.total_changes
        try:
            return work(connection), None
        except Exception as error:  # noqa: BLE001  # belongs to the one who handed the work in
            if connection.total_changes != before or not connection.in_transaction:
                return None
            return None, self._own(error)

    def commit(self) -> Exception | None:
        """Commit; if that fails all is taken back."""
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self.roll_back()
            return self._translated(error)
        return None

    def roll_back(self) -> None:
        if self._connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def whole(self, work: Work[Any]) -> list[Outcome]:
        """Begin, run one work, commit."""
        error = self.begin()
        if error is not None:
            return [(None, error)]
        outcome = self.attempt(work)
        if outcome is None:
            self.roll_back()
            return self.apart([work])
        error = self.commit()
        return [outcome if error is None else (None, error)]

    def apart(self, works: Sequence[Work[Any]]) -> list[Outcome]:
        """Begin, run each work in a savepoint of its own, commit."""
        error = self.begin()
        if error is None:
            try:
                outcomes = [self._in_savepoint(work) for work in works]
            except sqlite3.Error as given_up:  # the database gave up the whole transaction
                self.roll_back()
                error = self._translated(given_up)
            else:
                error = self.commit()
        return outcomes if error is None else [(None, error) for _ in works]

    def _in_savepoint(self, work: Work[Any]) -> Outcome:
        connection = self._connection
        connection.execute("SAVEPOINT one")
        try:
            result = work(connection)
        except Exception as error:
            if not connection.in_transaction:
                raise
            connection.execute("ROLLBACK TO one")
            connection.execute("RELEASE one")
            return None, self._own(error)
        connection.execute("RELEASE one")
        return result, None

    def _own(self, error: Exception) -> Exception:
        return self._translated(error) if isinstance(error, sqlite3.Error) else error
