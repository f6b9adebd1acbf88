"""One figure of the system design: what it says, what comes out, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum

import msgspec

NEAR = 0.01  # a figure that the design rounds further than to its last digit


class Verdict(StrEnum):
    """`omits`: right as far as it goes, which is not far enough to plan by."""

    OK = "ok"
    OMITS = "omits"
    WRONG = "wrong"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """`computed` and `at_peak` are numbers of `unit`; `at_peak` None where a peak makes no difference."""

    section: str
    quantity: str
    inputs: Mapping[str, float]
    formula: str
    design_says: str
    computed: float
    unit: str
    at_peak: float | None
    verdict: Verdict
    why: str

    def as_dict(self) -> dict[str, object]:
        """As JSON shows it."""
        return {name: getattr(self, name) for name in self.__struct_fields__} | {
            "inputs": dict(self.inputs), "verdict": self.verdict.value, "computed": _rounded(self.computed),
            "at_peak": None if self.at_peak is None else _rounded(self.at_peak),
        }  # fmt: skip


def row(
    where: tuple[str, str],
    formula: str,
    computed: float,
    unit: str,
    *,
    says: str,
    said: float | None = None,
    peak: float | None = None,
    inputs: Mapping[str, float] | None = None,
    omits: str = "",
    wrong: str = "",
    why: str = "",
) -> Row:
    """A row with its verdict. Wrong: `said` is not what comes out, with `wrong` to say why (without `said`, `wrong` alone
    decides). Omits: something is missing. `where` is section and quantity."""
    off = bool(wrong) if said is None else not agrees(said, computed)
    wrong = wrong if off else ""
    verdict = Verdict.WRONG if off else Verdict.OMITS if omits else Verdict.OK
    differs = f"{computed / said:.3g} times what it says" if off and said and not wrong else ""
    return Row(
        section=where[0], quantity=where[1], inputs=inputs or {}, formula=formula, design_says=says, computed=computed,
        unit=unit, at_peak=peak, verdict=verdict, why="; ".join(part for part in (differs, wrong, omits, why) if part),
    )  # fmt: skip


def agrees(said: float, computed: float) -> bool:
    """Whether `said` is `computed` rounded to the digits that `said` shows, or within a hundredth of it."""
    if said == 0 or computed == 0:
        return said == computed
    digits = len(f"{said:.6g}".replace(".", "").split("e")[0].strip("0"))
    place = 10 ** (math.floor(math.log10(abs(computed))) - digits + 1)
    return math.isclose(round(computed / place) * place, said, rel_tol=1e-9) or abs(computed / said - 1) <= NEAR


def _rounded(value: float) -> float:
    """Seven digits: what floating point adds in the last place is no figure."""
    return float(f"{value:.7g}")
