"""A bounded dict that forgets what was not asked for lately.

Two generations instead of a linked list: what is asked for moves to the young one; when that holds half the size, it becomes
the old one and the former old one is dropped. A hit in the young generation costs one dict look-up, and hot loops may take
`young.get` themselves and come to `get` for what is missing there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """At most about `size` elements."""

    def __init__(self, size: int) -> None:
        self._half = max(1, size // 2)
        self.young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """Return the element and keep it young; `None` for none."""
        found = self.young.get(key)
        if found is None and self._old:
            found = self._old.get(key)
            if found is not None:
                self[key] = found
        return found

    def get_all(self, keys: Sequence[K]) -> list[V | None]:
        """`get` for many, of elements that are all true."""
        found: list[V | None] = list(map(self.young.get, keys))
        if self._old and not all(found):
            get = self.get
            found = [get(key) if one is None else one for key, one in zip(keys, found, strict=True)]
        return found

    def peek(self, key: K) -> V | None:
        """Return the element and leave its age alone."""
        found = self.young.get(key)
        return self._old.get(key) if found is None else found

    def __setitem__(self, key: K, value: V) -> None:
        if len(self.young) >= self._half and key not in self.young:
            self._old, self.young = self.young, {}
        self.young[key] = value

    def update(self, items: Mapping[K, V]) -> None:
        """Put in many."""
        if len(self.young) + len(items) <= self._half:
            self.young.update(items)
            return
        for key, value in items.items():
            self[key] = value

    def drop(self, key: K) -> V | None:
        """Forget one; returns what it was."""
        old = self._old.pop(key, None) if self._old else None
        young = self.young.pop(key, None)
        return old if young is None else young

    def values(self) -> list[V]:
        """All elements, those asked for lately last."""
        return [value for key, value in self._old.items() if key not in self.young] + list(self.young.values())

    def replace(self, key: K, value: V) -> None:
        """Put a new value where one is, and leave its age alone."""
        if key in self.young:
            self.young[key] = value
        elif key in self._old:
            self._old[key] = value

    def clear(self) -> None:
        """Forget all."""
        self.young, self._old = {}, {}

    def __len__(self) -> int:
        return len(self.young) + len(self._old)
