"""Unguessable bytes (tokens) and drawn numbers (jitter), as the core is handed them."""

from __future__ import annotations

import secrets
from typing import Protocol


class Entropy(Protocol):
    """Bytes nobody can guess."""

    def token_bytes(self, size: int) -> bytes:
        """Return `size` bytes."""


class SystemEntropy:
    """The operating system's."""

    def token_bytes(self, size: int) -> bytes:
        return secrets.token_bytes(size)


class Chance(Protocol):
    """Seeded chance; `random.Random(seed)` is one. For jitter and sampling, never for secrets."""

    def random(self) -> float:
        """Return a float in [0, 1)."""

    def randrange(self, start: int, stop: int, /) -> int:
        """Return an integer in [start, stop)."""
