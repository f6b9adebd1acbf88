"""The database file: where it lies, how it is opened, which schema it has, and what its errors mean.

One reader connection is used directly on the loop for queries of microseconds; all writes go through `writer.Writer`.
It never holds a second SQLite library on the file, never upgrades a schema that a newer build has written, and lets no
`sqlite3` error out: callers see `core.errors` only.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from ...clock import Clock
from ...errors import StoreCorrupt, StoreDown, StoreError, StoreFull, StoreTimeout
from ...limits import Limits
from .transactions import Transactions
from .writer import Writer

FILE = "twit.db"
APPLICATION_ID = 0x54574954  # "TWIT": tells our files from any other SQLite database
SCHEMA_VERSION = 1
READER_CACHE_KIB = 65_536
WRITER_CACHE_KIB = 65_536
CHECKPOINT_PAGES = 4_000  # 16 MB of log before it is folded into the file: fewer, longer folds


class Database:
    """The reader connection, the writer, and what every store file needs beside them."""

    def __init__(self, folder: Path, limits: Limits, clock: Clock, *, durable: bool, inline: bool) -> None:
        self.folder = folder
        self.path = folder / FILE
        self.limits = limits
        self.clock = clock
        self._durable = durable
        self.read = self._connect(READER_CACHE_KIB)
        self.read.execute("PRAGMA query_only=ON")
        transactions = Transactions(self._connect_writer(), translated, limits.store_timeout_ms)
        self.writer = Writer(transactions, limits, inline=inline)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query, read on the caller's thread."""
        try:
            return self.read.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise translated(error) from error

    def row(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """The first row of a query, or `None`."""
        try:
            return self.read.execute(sql, parameters).fetchone()
        except sqlite3.Error as error:
            raise translated(error) from error

    def each(self, sql: str, parameters: Iterable[Sequence[Any]]) -> list[Any]:
        """The first row, or `None`, of the same query for each set of parameters: a point read costs some 2 µs."""
        execute = self.read.execute
        try:
            return [execute(sql, one).fetchone() for one in parameters]
        except sqlite3.Error as error:
            raise translated(error) from error

    def keyed(self, sql: str, keys: Iterable[int]) -> dict[int, Any]:
        """Key → value for a query of two columns over `json_each(?)`: half the cost of point reads when there are many."""
        try:
            return dict(self.read.execute(sql, (listed(keys),)).fetchall())
        except sqlite3.Error as error:
            raise translated(error) from error

    async def close(self) -> None:
        """Finish what is queued, then let go. More than once is harmless."""
        await self.writer.close()
        self.read.close()

    def _connect(self, cache_kib: int) -> sqlite3.Connection:
        connection = connect(self.path, self.limits.store_timeout_ms)
        connection.execute(f"PRAGMA cache_size=-{cache_kib}")
        return connection

    def _connect_writer(self) -> sqlite3.Connection:
        connection = self._connect(WRITER_CACHE_KIB)
        connection.execute(f"PRAGMA synchronous={'FULL' if self._durable else 'OFF'}")
        connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        return connection


def in_list(keys: Sequence[int]) -> tuple[str, Sequence[int]]:
    """What stands after IN for up to some hundreds of ids, and its parameters: a fifth quicker than `json_each`. There are few
    different lengths, so that statements are prepared once; 0 is nothing's id."""
    size = next((size for size in _LIST_SIZES if size >= len(keys)), len(keys))
    return _PLACES[size] if size in _PLACES else _places(size), (*keys, *(0,) * (size - len(keys)))


def _places(size: int) -> str:
    return f"({','.join('?' * size)})"


_LIST_SIZES = (1, 2, 4, 8, 16, 32, 50, 64, 100, 128, 200, 256)
_PLACES = {size: _places(size) for size in _LIST_SIZES}
IN_LIST_MAX = _LIST_SIZES[-1]


def listed(keys: Iterable[int]) -> str:
    """Numbers as `json_each` takes them."""
    return f"[{','.join(map(str, keys))}]"


def connect(path: Path, timeout_ms: int) -> sqlite3.Connection:
    """A connection that opens no transaction by itself and waits for another's lock for less than a call may take."""
    return sqlite3.connect(
        path, timeout=timeout_ms * 0.8 / 1000, isolation_level=None, check_same_thread=False, cached_statements=512
    )


def prepare(folder: Path, schemas: Sequence[str], timeout_ms: int, *, create: bool) -> None:
    """Make the folder and the file where they are missing, and check that the schema is ours and not newer.

    Raises `StoreDown` where there is nothing and `create` is false, `StoreFull` where it cannot be written,
    `StoreCorrupt` for another program's file or a newer schema.
    """
    path = folder / FILE
    try:
        if create:
            folder.mkdir(parents=True, exist_ok=True)
        if not create and not path.exists():
            what = f"no database at {path}"
            raise StoreDown(what, meaning="nothing was ever stored there", try_="check the folder; serving or posting makes it")
        if not all(os.access(one, os.W_OK, effective_ids=True) for one in (folder, path) if one.exists()):
            what = f"{path} cannot be written"
            raise StoreFull(what, meaning="the folder or the file is read-only", try_="check their rights, or name another folder")
        if not path.exists():
            _create(path, schemas, timeout_ms)
        _check(path, timeout_ms)
    except sqlite3.Error as error:
        raise translated(error, path) from error
    except OSError as error:
        what = f"{folder}: {error.strerror}"
        raise (StoreFull if error.errno in _UNWRITABLE else StoreDown)(what, try_="check the folder and its rights") from error


def _create(path: Path, schemas: Sequence[str], timeout_ms: int) -> None:
    """Make the file whole under another name and link it into place, so that no other process ever meets half of it."""
    made = path.with_name(f"{FILE}.{os.getpid()}.new")
    made.unlink(missing_ok=True)
    with closing(connect(made, timeout_ms)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        stamp = f"PRAGMA application_id={APPLICATION_ID};\nPRAGMA user_version={SCHEMA_VERSION};"
        connection.executescript("\n".join(["BEGIN IMMEDIATE;", *schemas, stamp, "COMMIT;"]))
    with suppress(FileExistsError):  # another process was first: the file is the same
        os.link(made, path)
    made.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _check(path: Path, timeout_ms: int) -> None:
    with closing(connect(path, timeout_ms)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        what = f"{path} is another program's database"
        raise StoreCorrupt(what, try_="name another folder")
    if version > SCHEMA_VERSION:
        what = f"{path} has schema version {version}; this build knows up to {SCHEMA_VERSION}"
        raise StoreCorrupt(what, meaning="a newer build wrote it", try_="run that build, or name another folder")


_UNWRITABLE = frozenset({errno.EPERM, errno.EACCES, errno.ENOSPC, errno.EROFS, errno.EDQUOT})

_MEANS: dict[int, tuple[type[StoreError], str, str]] = {
    sqlite3.SQLITE_BUSY: (StoreDown, "another process held the database for too long", "look for a stuck process, then repeat"),
    sqlite3.SQLITE_LOCKED: (StoreDown, "another connection held a table for too long", "repeat"),
    sqlite3.SQLITE_READONLY: (StoreFull, "the database is read-only: nothing was written", "check the rights of the folder"),
    sqlite3.SQLITE_FULL: (StoreFull, "the disk is full: nothing was written", "make room, then repeat"),
    sqlite3.SQLITE_CORRUPT: (StoreCorrupt, "the file is damaged", "restore it from a backup"),
    sqlite3.SQLITE_NOTADB: (StoreCorrupt, "the file is not a database", "restore it from a backup, or name another folder"),
    sqlite3.SQLITE_FORMAT: (StoreCorrupt, "the file is not a database that this build reads", "restore it from a backup"),
    sqlite3.SQLITE_INTERRUPT: (StoreTimeout, "the query was stopped", "repeat"),
}


def translated(error: sqlite3.Error, path: Path | str = "") -> StoreError:
    """What a `sqlite3` error means to a caller of the ports."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    at = f"{path}: " if path else ""
    kind, meaning, try_ = _MEANS.get(code, (StoreError, "the database refused the request", ""))
    if code == sqlite3.SQLITE_IOERR:
        kind, meaning, try_ = StoreDown, "the disk failed, or a quota is used up", "look at the disk and its quota, then repeat"
    if code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM} or isinstance(error, sqlite3.ProgrammingError):
        kind, meaning, try_ = StoreDown, "the database is not open", "check the folder, its rights and its disk"
    return kind(f"{at}{error}", meaning=meaning, try_=try_)

