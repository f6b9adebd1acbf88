"""Passwords: argon2id off the loop, by the parameters that OWASP gives. Never keeps, logs or compares a password itself."""

from __future__ import annotations

import base64
import unicodedata
from functools import partial

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from .entropy import Entropy
from .offload import Offload

# OWASP Password Storage Cheat Sheet: argon2id with 19 MiB, 2 passes, 1 lane
MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1
HASH_BYTES = 32
SALT_BYTES = 16


class Passwords:
    """Hashes and verifies with the machine's `offload`, salts from `entropy`."""

    def __init__(self, entropy: Entropy, offload: Offload) -> None:
        self._entropy = entropy
        self._offload = offload
        self._argon2 = PasswordHasher(PASSES, MEMORY_KIB, LANES, HASH_BYTES, SALT_BYTES, type=Type.ID)

    async def hash(self, password: str) -> str:
        """Return the encoded hash, with its parameters and salt in it."""
        salt = self._entropy.token_bytes(SALT_BYTES)
        return await self._offload.run(partial(self._argon2.hash, _bytes(password), salt=salt))

    async def verify(self, encoded: str, password: str) -> bool:
        """Whether it is the password of `encoded`. For "" (no such account, or no log-in) the same work is done and
        the answer is no, so that the time taken does not tell who has an account."""
        return await self._offload.run(partial(self._matches, encoded or self._nobody(), _bytes(password)))

    def outdated(self, encoded: str) -> bool:
        """Whether `encoded` was made with other parameters than today's."""
        return self._argon2.check_needs_rehash(encoded)

    def _matches(self, encoded: str, password: bytes) -> bool:
        try:
            return self._argon2.verify(encoded, password)
        except (VerificationError, InvalidHashError):
            return False

    def _nobody(self) -> str:
        salt, digest = (
            base64.b64encode(self._entropy.token_bytes(size)).decode("ascii").rstrip("=") for size in (SALT_BYTES, HASH_BYTES)
        )
        return f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${digest}"


def _bytes(password: str) -> bytes:
    """NFKC before hashing (NIST SP 800-63B 5.1.1.2): the same password from another keyboard."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
