"""`parts_redis` in the layout of sorted sets."""

from __future__ import annotations

from functools import partial

from parts_redis import open_ports as open_layout

open_ports = partial(open_layout, layout="sorted-set")
