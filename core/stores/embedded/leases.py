"""Leases as file locks: `flock` on `leases/<name>.lock`, which the kernel gives back when the holder dies, whatever killed it.

The file says who holds it and how often it was taken (the fence). A lock file is never deleted: a process that waits on
the old one would then hold a lock that no one else sees. Children do not inherit the descriptor, so they never keep a lease.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import re
from contextlib import suppress
from pathlib import Path

from ...errors import Invalid, StoreDown, StoreFull
from ...ids import NODES

FOLDER = "leases"
UNWRITABLE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT})
READ_MAX = 4_096
TRIES = 3  # `holder` locks a dead holder's file for some microseconds to see that he is dead
TRY_AGAIN_S = 0.001

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:-]{0,199}")


class FileLease:
    """`ports.Lease`: a held lock. Its file is closed, and so unlocked, by `release` or by the end of the process."""

    lost = False  # the kernel takes no lock away

    def __init__(self, fd: int, fence: int) -> None:
        self.fence = fence
        self._fd = fd

    def release(self) -> None:
        if self._fd < 0:
            return
        with suppress(OSError):  # a full disk must not keep the lock
            _write(self._fd, self.fence, "")
        fcntl.flock(self._fd, fcntl.LOCK_UN)
        os.close(self._fd)
        self._fd = -1


class FileLeases:
    """`ports.Leases` in a folder that all processes of one site share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _translated(error, self._folder) from error

    async def acquire(self, name: str, holder: str) -> FileLease | None:
        for _ in range(TRIES):
            lease = self._try(name, holder)
            if lease is not None:
                return lease
            await asyncio.sleep(TRY_AGAIN_S)
        return None

    async def holder(self, name: str) -> str:
        path = self._path(name)
        try:
            fd = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise _translated(error, path) from error
        try:
            _, holder = _read(fd)
            return holder if holder and _locked(fd) else ""
        finally:
            os.close(fd)

    async def node(self, holder: str) -> tuple[int, FileLease]:
        for node in range(NODES):
            lease = self._try(f"node-{node}", holder)
            if lease is not None:
                return node, lease
        what = f"all {NODES} node ids of tweet ids are taken"
        raise StoreDown(what, meaning="each running process needs one", try_="stop processes that are not needed")

    def _try(self, name: str, holder: str) -> FileLease | None:
        path = self._path(name)
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise _translated(error, path) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fence = _read(fd)[0] + 1
            _write(fd, fence, holder)
        except BlockingIOError:
            os.close(fd)
            return None
        except OSError as error:
            os.close(fd)
            raise _translated(error, path) from error
        return FileLease(fd, fence)

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            what = f"{name!r} cannot name a lease"
            raise Invalid(what, field="name", try_="letters, digits and . _ @ : - only")
        return self._folder / f"{name}.lock"


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False


def _read(fd: int) -> tuple[int, str]:
    """Fence and holder; (0, "") of a new file."""
    fence, _, rest = os.pread(fd, READ_MAX, 0).decode("utf-8", "replace").partition("\n")
    return (int(fence) if fence.isdigit() else 0), rest.partition("\n")[0]


def _write(fd: int, fence: int, holder: str) -> None:
    """One write, then the cut: a reader between the two sees the new holder, since he reads two lines only.

    Not synced: a fence has to rise among holders, and a power cut ends them all.
    """
    body = f"{fence}\n{' '.join(holder.split())}\n".encode()[: READ_MAX - 1]
    os.pwrite(fd, body, 0)
    os.ftruncate(fd, len(body))


def _translated(error: OSError, path: Path) -> StoreDown | StoreFull:
    what = f"{path}: {error.strerror}"
    kind = StoreFull if error.errno in UNWRITABLE else StoreDown
    return kind(what, meaning="a lease is a file that must be written", try_="check the folder, its rights and its disk")
