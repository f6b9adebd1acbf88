"""What operators ask of the embedded stores. It never raises, and it never reads the whole file."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from ...errors import StoreError
from .db import Database

FREE_BYTES_MIN = 64 << 20  # the write-ahead log alone grows to a quarter of this between folds


class EmbeddedHealth:
    """`ports.Health` of one folder; `closing` are let go of first, in order."""

    def __init__(self, db: Database, closing: tuple[Callable[[], None], ...]) -> None:
        self._db = db
        self._closing = closing

    async def check(self) -> dict[str, str]:
        return {"database": self._database(), "writer": self._db.writer.dead or "ok", "disk": self._disk()}

    async def close(self) -> None:
        closing, self._closing = self._closing, ()
        try:
            for close in closing:
                close()
        finally:
            await self._db.close()

    def _database(self) -> str:
        try:
            self._db.row("SELECT 1 FROM users LIMIT 1")
        except StoreError as error:
            return str(error)
        return "ok"

    def _disk(self) -> str:
        try:
            free = shutil.disk_usage(self._db.folder).free
        except OSError as error:
            return f"{self._db.folder}: {error.strerror}"
        if free >= FREE_BYTES_MIN:
            return "ok"
        return f"{free >> 20} MiB are free; the stores want {FREE_BYTES_MIN >> 20} MiB"
