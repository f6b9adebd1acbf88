"""Machines one can rent, and what bytes cost: `prices.toml`, with its source and date."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec

from ...core.errors import Invalid
from ...core.settings_file import Setting, read_file

PRICES = Path(__file__).with_name("prices.toml")
GIB = 2**30
SHAPE = ("vcpu", "memory_gib", "disk_gib", "net_mbit", "cost_yr")
BYTES = ("disk.gp3_gib_yr", "disk.s3_gib_yr", "network.zone_gib", "network.region_gib", "network.internet_gib")


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of machine. `disk`: bytes of local disk, 0 where it takes network disks. `net`: bytes a second."""

    name: str
    vcpu: int
    memory: float
    disk: float
    net: float
    cost_yr: float


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """All machines, and dollars for a byte kept a year or moved."""

    source: str
    terms: str
    date: str
    instances: Mapping[str, Instance]
    gp3_byte_yr: float
    s3_byte_yr: float
    zone_byte: float
    region_byte: float
    internet_byte: float


@cache
def prices(path: Path = PRICES) -> Prices:
    """Read them. Raises `Invalid` with file and line for what is missing, unknown or no positive number."""
    found = read_file(path, path.name)
    if not found:
        raise Invalid(f"no price list at {path}", field="prices")
    shapes: dict[str, dict[str, float]] = {}
    for key, setting in found.items():
        if key.startswith("instances."):
            name, _, field = key.removeprefix("instances.").rpartition(".")
            if field not in SHAPE:
                raise Invalid(f"{setting.source}: unknown key {key}", field=key, meaning=f"allowed: {', '.join(SHAPE)}")
            shapes.setdefault(name, {})[field] = _amount(key, setting)
        elif key not in BYTES and not key.startswith("basis."):
            raise Invalid(f"{setting.source}: unknown key {key}", field=key, meaning=f"allowed: {', '.join(BYTES)}, instances.NAME")
    per_byte = {key: _amount(key, _known(found, key, path)) / GIB for key in BYTES}
    basis = {key: str(_known(found, f"basis.{key}", path).value) for key in ("source", "terms", "date")}
    return Prices(
        **basis, instances={name: _instance(name, shape, path) for name, shape in shapes.items()},
        gp3_byte_yr=per_byte[BYTES[0]], s3_byte_yr=per_byte[BYTES[1]], zone_byte=per_byte[BYTES[2]],
        region_byte=per_byte[BYTES[3]], internet_byte=per_byte[BYTES[4]],
    )  # fmt: skip


def _known(found: Mapping[str, Setting], key: str, path: Path) -> Setting:
    if key not in found:
        raise Invalid(f"{path.name}: {key} is missing", field=key)
    return found[key]


def _amount(key: str, setting: Setting) -> float:
    value = setting.value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise Invalid(f"{setting.source}: {key} = {value!r} is not an amount", field=key, meaning="allowed: a number from 0")
    return float(value)


def _instance(name: str, shape: Mapping[str, float], path: Path) -> Instance:
    missing = [field for field in SHAPE if field not in shape]
    if missing:
        raise Invalid(f"{path.name}: instances.{name} lacks {', '.join(missing)}", field=f"instances.{name}")
    return Instance(
        name=name, vcpu=int(shape["vcpu"]), memory=shape["memory_gib"] * GIB, disk=shape["disk_gib"] * GIB,
        net=shape["net_mbit"] * 1e6 / 8, cost_yr=shape["cost_yr"],
    )  # fmt: skip
