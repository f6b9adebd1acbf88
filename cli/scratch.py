"""Opens empty stores of a context's kind beside its data, for measuring: on the same file systems, never in its folders."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import StoreFull, Unsupported

if TYPE_CHECKING:
    from ..core.clock import Clock
    from ..core.ports import Stores
    from ..core.settings import Settings

PREFIX = "twit-scratch-"


@asynccontextmanager
async def scratch_stores(settings: Settings, clock: Clock) -> AsyncIterator[Stores]:
    """Such stores; closed and removed on leaving. Raises `Unsupported` where a context has none of its own."""
    from ..core.stores.embedded import open_stores

    context = settings.context
    if context.kind != "embedded":
        why = "its stores are servers that others use" if context.kind == "live" else "it computes its people and has no stores of its own"
        what = f"context {context.name} is {context.kind}: {why}, so there is nothing to measure beside its data"
        raise Unsupported(what, code="NO_STORES", try_="twit --context local simulate calibrate")
    with _beside(context.folder) as folder, _beside(context.ring) if context.ring is not None else nullcontext() as ring:
        stores = open_stores(Path(folder), settings.limits, clock, ring_folder=Path(ring) if ring else None)
        try:
            yield stores
        finally:
            await stores.health.close()


def _beside(folder: Path) -> tempfile.TemporaryDirectory[str]:
    """A new folder next to this one, or as near to it as there is a folder that can be written."""
    refused: OSError | None = None
    for parent in folder.absolute().parents:
        if parent.is_dir():
            try:
                return tempfile.TemporaryDirectory(prefix=PREFIX, dir=parent, ignore_cleanup_errors=True)
            except OSError as error:
                refused = error
    raise StoreFull(f"no folder near {folder} can be written: {refused}", try_="name another with --context")
