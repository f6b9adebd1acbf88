"""The typed door to numba, through which every compiled function of the simulator passes.

Compiled code is cached on disk. numba looks only at the file of the function itself, so a kernel that was inlined into a
cached caller elsewhere would go stale; the cache's folder is therefore named after the sources of the shared kernels.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast, overload

import numba
from numba.core import types
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., Any])

HERE = Path(__file__).parent
OPTIONS = {"cache": True, "nogil": True, "fastmath": False, "boundscheck": False, "error_model": "numpy"}


def cache_folder() -> Path:
    """Where compiled code is kept: the user's cache, or a temporary folder where that cannot be written. What lies there is run, so
    it is never a folder that somebody else made."""
    shared = sorted(HERE.rglob("*.py"))
    digest = hashlib.sha256()
    for path in shared:
        source = path.read_bytes()
        if b"compiled import" in source or b"numba" in source:
            digest.update(source)
    name = f"compiled-{digest.hexdigest()[:16]}"
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for base in (home / "twit", Path(tempfile.gettempdir()) / f"twit-{os.getuid()}"):
        folder = base / name
        try:
            base.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK) and base.stat().st_uid == folder.stat().st_uid == os.getuid():
            return folder
    return Path(tempfile.mkdtemp(prefix="twit-"))


if "NUMBA_CACHE_DIR" not in os.environ:
    cast("Any", numba.config).CACHE_DIR = str(cache_folder())


@overload
def njit(function: F, /) -> F: ...
@overload
def njit(**options: object) -> Callable[[F], F]: ...
def njit(function: F | None = None, /, **options: object) -> F | Callable[[F], F]:
    """Compile on first call: cached, without the interpreter's lock, without bounds checks; `options` override."""
    compile_ = cast("Callable[[F], F]", cast("Any", numba.njit)(**(OPTIONS | options)))
    return compile_ if function is None else compile_(function)


def inlined(function: F) -> F:
    """The same for the small steps of loops: they become part of their callers, without which no loop is vectorised."""
    return njit(forceinline=True)(function)


def _popcount(_typing: Any, _word: Any) -> tuple[Any, Callable[..., Any]]:
    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.int64), code


popcount = cast("Callable[[int], int]", cast("Any", intrinsic)(_popcount))
"""The number of set bits of a word: one instruction, only inside compiled functions."""
