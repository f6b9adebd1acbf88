"""What MySQL's errors mean to a caller of the ports, and which of them say that the same transaction may be tried again."""

from __future__ import annotations

import msgspec
import pymysql
from pymysql.constants import CR, ER

from ....errors import StoreCorrupt, StoreDown, StoreError, StoreFull, StoreTimeout

GONE = frozenset({
    CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST, CR.CR_CONN_HOST_ERROR, CR.CR_CONNECTION_ERROR, CR.CR_IPSOCK_ERROR, 2055,
    ER.SERVER_SHUTDOWN, 1927, 4031,  # killed, or idle for too long
})
CONTENDED = frozenset({ER.LOCK_WAIT_TIMEOUT, ER.LOCK_DEADLOCK})
BUSY = frozenset({ER.CON_COUNT_ERROR, ER.TOO_MANY_USER_CONNECTIONS, ER.QUERY_INTERRUPTED})
FULL = frozenset({ER.DISK_FULL, ER.RECORD_FILE_FULL, ER.ERROR_ON_WRITE, ER.OPTION_PREVENTS_STATEMENT, 1792, 1836})
DENIED = frozenset({
    ER.ACCESS_DENIED_ERROR, ER.DBACCESS_DENIED_ERROR, ER.TABLEACCESS_DENIED_ERROR, ER.COLUMNACCESS_DENIED_ERROR, 1227, 1698,
})
UNMADE = frozenset({ER.BAD_DB_ERROR, ER.NO_SUCH_TABLE, ER.BAD_FIELD_ERROR})
DAMAGED = frozenset({ER.NOT_KEYFILE, ER.CRASHED_ON_USAGE, ER.CRASHED_ON_REPAIR, 1712, 1877})
NO_SPACE = "28"  # of the operating system, inside the text of 1030

INIT = "twit context init"
CHECK = "twit context check"


def code_of(error: BaseException) -> int:
    """The server's or the client's number of an error; 0 where there is none."""
    first = error.args[0] if error.args else 0
    return first if isinstance(first, int) else 0


def timed_out(error: BaseException) -> bool:
    """The connection waited for as long as it may: the server can still be at it."""
    return isinstance(error.__context__, TimeoutError) or (code_of(error) == CR.CR_SERVER_LOST and "timed out" in str(error))


def gone(error: BaseException) -> bool:
    """The connection is no more, and nothing was waited for: another one may do."""
    interface = isinstance(error, pymysql.InterfaceError) and not code_of(error)
    return (code_of(error) in GONE or interface) and not timed_out(error)


def contended(error: BaseException) -> bool:
    """Another transaction had the rows for too long, or stood crosswise."""
    return code_of(error) in CONTENDED


def translated(name: str, error: BaseException) -> StoreError | None:
    """Ours for a driver's error; `None` for what can only be our mistake."""
    if isinstance(error, msgspec.DecodeError):
        what = f"{name}: a row cannot be read: {error}"
        return StoreCorrupt(what, meaning="damaged, or written by a newer build", try_="run that build, or restore a backup")
    if isinstance(error, RuntimeError) and "shutdown" in str(error):  # of the threads: it was closed
        return StoreDown(f"{name}: closed")
    if not isinstance(error, pymysql.MySQLError):
        return None
    return _of_driver(name, error)


def _of_driver(name: str, error: pymysql.MySQLError) -> StoreError | None:
    code, what = code_of(error), f"{name}: {error}"
    if timed_out(error) or contended(error):
        return StoreTimeout(what, meaning="no answer in time; a write may or may not stand", try_="repeat")
    if gone(error) or code in BUSY:
        return StoreDown(what, meaning="the server is not there, or takes no more connections", try_=CHECK)
    if code in FULL or (code == ER.GET_ERRNO and NO_SPACE in str(error)):
        return StoreFull(what, meaning="no space, or a read-only server: nothing was written", try_="make room, then repeat")
    if code in DENIED:
        return StoreDown(what, meaning="the user is not let in, or may not do that", try_=CHECK)
    if code in UNMADE:
        return StoreDown(what, meaning="the schema is not there, or of an older build", try_=INIT)
    if code in DAMAGED:
        return StoreCorrupt(what, meaning="a table is damaged", try_="restore it from a backup")
    return None if isinstance(error, pymysql.ProgrammingError) else StoreError(what)
