"""One MySQL server: its connections, and transactions that are tried again where that is safe.

A call runs on a thread of the server's own `Bridge`, so that a server that hangs holds up nobody else's calls. There are as
many connections as threads need at once; those that read commit by themselves, those that write begin by asking for the
epoch of the shard map. It knows no tables but that one.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import pymysql

from ....errors import Invalid, StoreDown, StoreTimeout
from ....events import Event
from ..bridge import Bridge
from ..config import Access
from . import errors

T = TypeVar("T")

THREADS = 8
TRIES = 6  # of one transaction that others stand in the way of
PAUSE_S = 0.01  # before the second try, doubled for each more, times a chance in [0.5, 1.5)
EPOCH_CHECK_S = 1.0  # readers look at the epoch this often; writers each time
IN_MAX = 200  # elements after one IN; measured: a list of 1,000 keys of several columns takes ten times as long as five of these
GROUP_CONCAT_MAX = 1 << 24

_EPOCH = "SELECT epoch FROM shard_map WHERE one = 1"


class Session:
    """A connection, in use by one thread at a time. `told` holds (index, shard, event) to be written with the
    transaction."""

    def __init__(self, connection: Any) -> None:
        self.statements = 0
        self.told: list[tuple[int, int, Event]] = []
        self.connection = connection
        self._cursor = connection.cursor()

    def run(self, sql: str, parameters: Sequence[Any] | None = None) -> int:
        """Execute it; returns the rows that were changed, or found."""
        self.statements += 1
        return int(self._cursor.execute(sql, parameters))

    def rows(self, sql: str, parameters: Sequence[Any] | None = None) -> list[Any]:
        self.run(sql, parameters)
        return list(self._cursor.fetchall())

    def row(self, sql: str, parameters: Sequence[Any] | None = None) -> Any:
        """The first row, or `None`."""
        found = self.rows(sql, parameters)
        return found[0] if found else None

    def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        """One INSERT of many rows (split only above 1 MB of text); returns the rows that were changed."""
        if not rows:
            return 0
        self.statements += 1
        return int(self._cursor.executemany(sql, rows) or 0)

    def among(self, sql: str, keys: Sequence[Sequence[Any]], *before: Any) -> list[Any]:
        """Rows of a SELECT that ends in `IN %s`, for as many keys as one likes; `before` are the parameters ahead of
        them."""
        found: list[Any] = []
        for start in range(0, len(keys), IN_MAX):
            found += self.rows(sql, (*before, _listed(keys[start : start + IN_MAX])))
        return found

    def each(self, sql: str, keys: Sequence[Sequence[Any]], *before: Any) -> int:
        """The same for an UPDATE or DELETE; returns the rows that were changed."""
        return sum(self.run(sql, (*before, _listed(keys[start : start + IN_MAX]))) for start in range(0, len(keys), IN_MAX))

    def inserted(self) -> int:
        """What the last statement gave to LAST_INSERT_ID()."""
        return int(self._cursor.lastrowid)

    def tell(self, index: int, shard: int, events: Iterable[Event]) -> None:
        """Write these events with the transaction; `index` orders them among those of other servers."""
        self.told += [(index, shard, event) for event in events]

    def close(self) -> None:
        # A closed socket is what we want, whether or not the server hears of it.
        self.connection._force_close()  # noqa: SLF001 - close() says farewell and may wait for it


class Server:
    """`name` is its address as it stands in the shard map: host:port/database. `epoch` is the map's that this process goes
    by, 0 for none yet."""

    def __init__(self, name: str, access: Access, namespace: str, timeout_ms: int, threads: int = THREADS) -> None:
        self.name = name
        self.host, self.port, self.database = place_of(name, namespace)
        self.epoch = 0
        self.timeout_s = timeout_ms / 1_000
        self._lock_wait_s = max(1, int(self.timeout_s * 0.25))  # whole seconds, as the server wants them
        self.bridge = Bridge(f"mysql {name}", threads, timeout_ms, lambda error: errors.translated(name, error))
        self._access = access
        self._idle: dict[bool, list[Session]] = {True: [], False: []}
        self._sessions: set[Session] = set()
        self._closed_statements = 0
        self._checked_at = 0.0
        self._closed = False

    @property
    def statements(self) -> int:
        """How many were sent since it was opened, BEGINs and COMMITs left out."""
        return self._closed_statements + sum(session.statements for session in list(self._sessions))

    async def read(self, work: Callable[[Session], T]) -> T:
        """Run `work` on a thread with a connection that commits by itself. It may run twice, so it must only read, or be
        repeatable."""
        return await self.bridge.run(self.read_now, work)

    async def write(self, work: Callable[[Session], T]) -> T:
        """Run `work` in a transaction, from the start again where another stood in the way: it must have no effects
        elsewhere."""
        return await self.bridge.run(self._write_now, work, time.monotonic() + self.timeout_s * 0.9)

    def read_now(self, work: Callable[[Session], T]) -> T:
        """`read` on the thread that calls, whichever it is."""
        while True:
            session, fresh = self._take(writing=False)
            try:
                self._look_at_epoch(session)
                answer = work(session)
            except pymysql.MySQLError as error:
                self._drop(session)
                if fresh or not errors.gone(error):
                    raise
            except BaseException:
                self._give(session, writing=False)
                raise
            else:
                self._give(session, writing=False)
                return answer

    def read_beside(self, work: Callable[[Session], T]) -> T:
        """`read_now` inside another server's transaction: what goes wrong is told as this server's."""
        try:
            return self.read_now(work)
        except pymysql.MySQLError as error:
            raise errors.translated(self.name, error) or error from error

    def connect(self, *, autocommit: bool, database: str | None = None, read_timeout_s: float = 0) -> Any:
        """A new connection; raises the driver's errors. `database` "" selects none."""
        access = self._access
        tls = {"ssl_ca": access.ca_file, "ssl_verify_cert": True, "ssl_verify_identity": True} if access.ca_file else {}
        connection = pymysql.connect(
            host=self.host, port=self.port, user=access.user, password=access.password, charset="utf8mb4",
            database=(self.database if database is None else database) or None, autocommit=autocommit,
            connect_timeout=max(1, int(self.timeout_s * 0.4)), read_timeout=read_timeout_s or self.timeout_s * 0.7,
            write_timeout=self.timeout_s * 0.7, **tls,
        )
        cursor = connection.cursor()
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        cursor.execute(
            f"SET SESSION innodb_lock_wait_timeout = {self._lock_wait_s}, group_concat_max_len = {GROUP_CONCAT_MAX},"
            " sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'"
        )
        if "MariaDB" in connection.get_server_info():  # which reads the whole table for a long IN unless told not to
            cursor.execute("SET SESSION in_predicate_conversion_threshold = 0")
        return connection

    def lock_name(self, name: str) -> str:
        """For `GET_LOCK`: such names are the whole server's, without case and at most 64 characters, so a hash serves for
        all."""
        return "twit:" + hashlib.sha256(f"{self.database}/{name}".encode()).hexdigest()[:48]

    async def close(self) -> None:
        """Finish what runs, then let go of all connections."""
        self._closed = True
        self.bridge.close()
        for session in list(self._sessions):
            self._drop(session)

    def _write_now(self, work: Callable[[Session], T], deadline: float) -> T:
        tried = 0
        if time.monotonic() > deadline:
            what = f"{self.name}: no thread was free in time"
            raise StoreTimeout(what, meaning="nothing was written", try_="repeat")
        while True:
            session, fresh = self._take(writing=True)
            try:
                session.told = []
                self.refuse_other_epoch(session, " LOCK IN SHARE MODE")
                answer = work(session)
            except pymysql.MySQLError as error:
                self._abandon(session, error)
                if errors.gone(error) and not fresh:
                    continue  # it broke while it was idle, as others may have: soon there are new ones only
                tried += 1
                pause = PAUSE_S * 2**tried * (0.5 + random.random())
                too_late = time.monotonic() + pause + self._lock_wait_s > deadline
                if not errors.contended(error) or tried >= TRIES or too_late:
                    raise
                time.sleep(pause)
            except BaseException:
                self._roll_back(session)
                raise
            else:
                self._commit(session)
                return answer

    def _commit(self, session: Session) -> None:
        try:
            session.connection.commit()
        except pymysql.MySQLError as error:
            self._drop(session)
            what = f"{self.name}: the answer to a commit was lost: {error}"
            raise StoreTimeout(what, meaning="the write may or may not stand", try_="repeat") from error
        self._give(session, writing=True)

    def _abandon(self, session: Session, error: pymysql.MySQLError) -> None:
        if errors.gone(error) or errors.timed_out(error):
            self._drop(session)
        else:
            self._roll_back(session)

    def _roll_back(self, session: Session) -> None:
        try:
            session.connection.rollback()
        except pymysql.MySQLError:
            self._drop(session)
        else:
            self._give(session, writing=True)

    def _look_at_epoch(self, session: Session) -> None:
        now = time.monotonic()
        if self.epoch and now - self._checked_at > EPOCH_CHECK_S:
            self.refuse_other_epoch(session)
            self._checked_at = now

    def refuse_other_epoch(self, session: Session, locking: str = "") -> None:
        """`StoreDown` where the server's shard map is not the one that this process goes by."""
        if not self.epoch:
            return
        row = session.row(_EPOCH + locking)
        epoch = int(row[0]) if row else 0
        if epoch != self.epoch:
            what = f"{self.name}: the shard map there is of epoch {epoch}, this process goes by epoch {self.epoch}"
            raise StoreDown(what, meaning="shards were moved since it started", try_="restart the process")

    def _take(self, *, writing: bool) -> tuple[Session, bool]:
        """An idle connection or a new one, and whether it is new."""
        try:
            return self._idle[writing].pop(), False
        except IndexError:
            if self._closed:
                what = f"{self.name}: closed"
                raise StoreDown(what) from None
            session = Session(self.connect(autocommit=not writing))
            self._sessions.add(session)
            return session, True

    def _give(self, session: Session, *, writing: bool) -> None:
        self._idle[writing].append(session)

    def _drop(self, session: Session) -> None:
        self._sessions.discard(session)
        self._closed_statements += session.statements
        session.close()


def _listed(keys: Sequence[Sequence[Any]]) -> Sequence[Sequence[Any]]:
    """What stands after IN. MariaDB reads the whole table for an UPDATE or DELETE by a list of one, so there are two of
    it."""
    return keys if len(keys) > 1 else (*keys, *keys)


def place_of(name: str, namespace: str) -> tuple[str, int, str]:
    """Host, port and real database of host:port/database: the database's name begins with the namespace."""
    address, _, database = name.partition("/")
    host, _, port = address.rpartition(":")
    whole = f"{namespace}_{database}" if database else namespace
    if not host or not port.isdigit() or not whole.replace("_", "").isalnum() or len(whole) > 64:
        what = f"{name!r} is no address of a MySQL server"
        raise Invalid(what, field="mysql", try_="host:port/database, the database of letters, digits and _")
    return host.strip("[]"), int(port), whole
