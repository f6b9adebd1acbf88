"""The three mapped files of the ring: their header, locks and growth. Knows nothing of what a row means.

`timelines.heads` is a page of header words and then 64 bytes a row; `timelines.ring` the entries, a row after the other;
`timelines.slots` which row is whose. They are one thing: made, checked and dropped together. `timelines.stamp` lies beside the
data and says which ring goes with it, since the ring may lie in another folder and be left out or taken for another's there.

Address space is reserved far beyond the end of each file, so a file that grows, by us or by another process, never moves its
map. Space is always allotted before it is used (a hole in a map is SIGBUS when the disk is full) and never given back.

Two locks, both `flock`, so that the kernel lifts them whatever kills the holder: who has the ring open (shared on `ring`; alone
it may be dropped or marked clean), and who writes now (on `heads`, one batch long).
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import logging
import os
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import StoreCorrupt, StoreDown, StoreError, StoreFull, StoreTimeout

if TYPE_CHECKING:
    import numpy.typing as npt

    Words = npt.NDArray[np.int64]

logger = logging.getLogger("twit.ring")

MAGIC = int.from_bytes(b"twitring", "little")
VERSION = 1
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
PAGE_WORDS = 512  # the header's page
HEAD_WORDS = 8
SLOT_PAGE = 4_096  # readers in one page of slots
DIRECTORY = 1 << 18  # pages of slots: readers below 2**30
FIRST_PAGE = SLOT_PAGE + DIRECTORY  # slots: an empty page, the directory, the stamp's page, then the pages
ROWS_MAX = 1 << 24
READER_MAX = SLOT_PAGE * (DIRECTORY - 1) - 1

# words of the header
H_MAGIC, H_VERSION, H_ENTRIES, H_STAMP, H_CLEAN, H_BOOT = 0, 1, 2, 3, 4, 5
H_BOOT_END, H_ROWS, H_ROWS_USED, H_PAGES_USED, H_EPOCH, H_HOME = 7, 8, 9, 10, 11, 12

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_PROT_READ_WRITE, _MAP_SHARED, _MAP_FAILED = 3, 1, ctypes.c_void_p(-1).value
_SPINS, _SPIN_S, _WAIT_S = 40, 0.000_05, 0.001
_FAULTS_MAX = 20


class MappedFile:
    """A file of int64 words mapped with room to grow. Words past its size must never be touched."""

    def __init__(self, path: Path, reserve: int) -> None:
        self.path = path
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        address = _libc.mmap(None, reserve, _PROT_READ_WRITE, _MAP_SHARED, self.fd, 0)
        if address in {None, _MAP_FAILED}:
            code = ctypes.get_errno()
            os.close(self.fd)
            raise StoreDown(f"{path.name} cannot be mapped: {os.strerror(code)}", try_="raise the limit of address space (ulimit -v)")
        self.words: Words = np.frombuffer(memoryview((ctypes.c_char * reserve).from_address(address)), np.int64)
        self.close = weakref.finalize(self, _unmap, self.fd, address, reserve)

    def size(self) -> int:
        return os.fstat(self.fd).st_size

    def allot(self, size: int) -> None:
        """Make the file at least `size` bytes, all of them really there. `StoreFull` where the disk has no room."""
        held = self.size()
        if size <= held:
            return
        try:
            os.posix_fallocate(self.fd, held, size - held)
        except OSError as error:
            what = f"{self.path.name} cannot grow from {held} to {size} bytes: {error.strerror}"
            raise StoreFull(what, meaning="nothing was written", try_="free disk space") from error


def _unmap(fd: int, address: int, reserve: int) -> None:
    _libc.munmap(address, reserve)
    os.close(fd)


class RingFile:
    """The open ring of one folder. `close` leaves it clean where nobody else has it open."""

    def __init__(self, folder: Path, entries_max: int, timeout_ms: int, home: Path | None = None) -> None:
        """`home` is the data folder, where that is another one."""
        self.entries_max = entries_max
        self._home = home.stat().st_ino if home else 0
        self.places = entries_max + 1  # one more than a row shows: an entry is written there before it counts
        self.row_bytes = self.places * 16
        self.timeout_ms = timeout_ms
        self.closed = False
        self._thread = threading.Lock()
        slots_reserve = (FIRST_PAGE + SLOT_PAGE * (DIRECTORY + 1)) * 8
        files = []
        try:
            for name, reserve in (
                ("ring", ROWS_MAX * self.row_bytes),
                ("heads", (PAGE_WORDS + ROWS_MAX * HEAD_WORDS) * 8),
                ("slots", slots_reserve),
            ):
                files.append(MappedFile(folder / f"timelines.{name}", reserve))
            self._stamp = os.open((home or folder) / "timelines.stamp", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._close_stamp = weakref.finalize(self, os.close, self._stamp)
        except OSError as error:
            for file in files:
                file.close()
            raise StoreDown(f"the ring in {folder} cannot be opened: {error.strerror}") from error
        self.ring, self.heads, self.slots = files
        self.header = self.heads.words[:PAGE_WORDS]
        try:
            self._enter()
        except BaseException:
            self._release()
            raise

    # ---- who has it open

    def _enter(self) -> None:
        fault = ""
        for tries in range(max(1, self.timeout_ms // 10)):
            if _flock(self.ring.fd, fcntl.LOCK_EX):
                self._lock_stamp(fcntl.LOCK_SH)
                self._repair()
                fcntl.flock(self.ring.fd, fcntl.LOCK_SH)
                self.header[H_CLEAN] = 0  # changing the lock is not one step: a closer may have come between
                return
            if _flock(self.ring.fd, fcntl.LOCK_SH):
                self._lock_stamp(fcntl.LOCK_SH)
                fault = self._fault()
                if not fault:
                    self.header[H_CLEAN] = 0
                    return
                fcntl.flock(self.ring.fd, fcntl.LOCK_UN)
                if tries >= _FAULTS_MAX:
                    break  # not somebody who is about to leave
            time.sleep(0.01)
        if fault:
            raise StoreCorrupt(f"the ring is open in another process and {fault}", try_="give both processes the same limits and version")
        raise StoreTimeout("the ring is being opened by another process")

    def _repair(self) -> None:
        """Alone: make the ring fit to be used, which for a cache may mean to begin again."""
        fresh = self.heads.size() == 0
        fault = "" if fresh else self._fault()
        boot = _boot()
        unclean = not fresh and not fault and self.header[H_CLEAN] == 0 and self.header[H_BOOT:H_BOOT_END].tolist() != boot
        if unclean:
            fault = "the machine went down while it was open"
        if fresh or fault:
            if fault:
                logger.warning("cached timelines are dropped and will be built again: %s", fault)
            self._make()
        settled = self.header[H_CLEAN] == 0
        self.header[H_BOOT:H_BOOT_END] = boot
        self.header[H_CLEAN] = 0
        if not settled:
            os.fdatasync(self.heads.fd)  # "in use" must be on disk before any row that it speaks of

    def _fault(self) -> str:
        """Why these bytes cannot be used, "" if they can."""
        if self.heads.size() < PAGE_WORDS * 8:
            return "its header is cut off"
        header = self.header.tolist()
        if header[H_MAGIC] != MAGIC:
            return "its header is damaged"
        if header[H_VERSION] != VERSION:
            return f"it is of version {header[H_VERSION]}, not {VERSION}"
        if header[H_ENTRIES] != self.entries_max:
            return f"its rows hold {header[H_ENTRIES]} entries, not {self.entries_max}"
        rows, used, pages = header[H_ROWS], header[H_ROWS_USED], header[H_PAGES_USED]
        if not (1 <= used <= rows <= ROWS_MAX and 1 <= pages <= DIRECTORY):
            return "its header is damaged"
        sizes = (rows * self.row_bytes, (PAGE_WORDS + rows * HEAD_WORDS) * 8, (FIRST_PAGE + pages * SLOT_PAGE) * 8)
        for file, size in zip((self.ring, self.heads, self.slots), sizes, strict=True):
            if file.size() < size:
                return f"{file.path.name} is cut off"
        if not header[H_STAMP] == self.ring.words[0] == self.slots.words[FIRST_PAGE]:
            return "its files do not belong together"
        ours = os.pread(self._stamp, 64, 0) == str(header[H_STAMP]).encode() and header[H_HOME] == self._home
        return "" if ours else "it belongs to other data"

    def _make(self) -> None:
        self._lock_stamp(fcntl.LOCK_EX)
        for file in (self.heads, self.ring, self.slots):
            os.ftruncate(file.fd, 0)
        self.slots.allot((FIRST_PAGE + SLOT_PAGE) * 8)
        self.ring.allot(self.row_bytes)
        self.heads.allot((PAGE_WORDS + HEAD_WORDS) * 8)
        stamp = os.fstat(self.heads.fd).st_ctime_ns
        self.ring.words[0] = self.slots.words[FIRST_PAGE] = stamp
        header = self.header
        header[H_VERSION], header[H_ENTRIES], header[H_STAMP] = VERSION, self.entries_max, stamp
        header[H_ROWS] = header[H_ROWS_USED] = header[H_PAGES_USED] = 1  # row 0 is nobody's: always absent
        header[H_HOME] = self._home
        self._write_stamp(stamp)
        header[H_CLEAN] = 1
        header[H_MAGIC] = MAGIC

    def _lock_stamp(self, kind: int) -> None:
        """All who have a ring of these data open share this; alone one may name another ring, since of two each would miss pushes.

        Taken after the lock on the ring and given back before it: who waits here waits for a ring in another folder."""
        for _ in range(_FAULTS_MAX):
            if _flock(self._stamp, kind):
                return
            time.sleep(0.01)
        raise StoreCorrupt("the data are open in another process with a ring in another folder", try_="give both the same TWIT_RING")

    def _write_stamp(self, stamp: int) -> None:
        """Durable before the ring is used: after a power cut the data must not name an older ring."""
        os.ftruncate(self._stamp, 0)
        os.pwrite(self._stamp, str(stamp).encode(), 0)
        os.fsync(self._stamp)
        fcntl.flock(self._stamp, fcntl.LOCK_SH)

    # ---- who writes now

    def try_lock(self) -> bool:
        """Take the ring for one batch; false where another thread or process has it."""
        if self.closed:
            raise StoreDown("the ring is closed")
        if not self._thread.acquire(blocking=False):
            return False
        if _flock(self.heads.fd, fcntl.LOCK_EX):
            return True
        self._thread.release()
        return False

    async def lock(self) -> None:
        """Wait for it, at most `timeout_ms`; batches are short, so at first without giving up the thread for long."""
        for _ in range(_SPINS):
            if self.try_lock():
                return
            time.sleep(_SPIN_S)  # noqa: ASYNC251 - shorter than the loop's own clock can wait
        for _ in range(self.timeout_ms):
            if self.try_lock():
                return
            await asyncio.sleep(_WAIT_S)
        raise StoreTimeout("another process holds the ring", meaning="it is stopped in the middle of a write")

    def unlock(self) -> None:
        fcntl.flock(self.heads.fd, fcntl.LOCK_UN)
        self._thread.release()

    # ---- growth and the end

    def grow(self, rows: int) -> None:
        """Add `rows` rows, the lock held. `StoreFull` where the disk or the ring has no room."""
        total = int(self.header[H_ROWS]) + rows
        if total > ROWS_MAX:
            raise StoreFull(f"the ring holds {ROWS_MAX} timelines and no more")
        self.ring.allot(total * self.row_bytes)
        self.heads.allot((PAGE_WORDS + total * HEAD_WORDS) * 8)
        self.header[H_ROWS] = total

    def add_page(self) -> int:
        """Add a page of slots, the lock held; returns its first word."""
        pages = int(self.header[H_PAGES_USED])
        start = FIRST_PAGE + pages * SLOT_PAGE
        self.slots.allot((start + SLOT_PAGE) * 8)
        self.header[H_PAGES_USED] = pages + 1
        return start

    def close(self) -> None:
        """Let go. More than once is harmless."""
        if self.closed:
            return
        self.closed = True
        try:
            if _flock(self.ring.fd, fcntl.LOCK_EX):
                for file in (self.ring, self.slots, self.heads):
                    os.fdatasync(file.fd)
                self.header[H_CLEAN] = 1
                os.fdatasync(self.heads.fd)
        except OSError as error:
            raise StoreError(f"the ring could not be left clean: {error.strerror}", meaning="a cache: it may be built again") from error
        finally:
            self._release()

    def _release(self) -> None:
        self.closed = True
        self._close_stamp()
        for file in (self.ring, self.heads, self.slots):
            file.close()


def _flock(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _boot() -> list[int]:
    """This boot of the machine, as two words."""
    raw = bytes.fromhex(BOOT_ID.read_text("ascii").strip().replace("-", ""))
    return [int.from_bytes(raw[:8], "little", signed=True), int.from_bytes(raw[8:], "little", signed=True)]
