"""Asks Netflix's service-capacity-modeling (Apache-2.0): a question as JSON on stdin, its least costly plans as JSON on stdout.

Runs in whatever Python has that package, which wants other versions of libraries than newer ones of ours; it knows nothing
of the package it lies in. `python scm_models.py < question.json`
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from importlib.metadata import version
from typing import Any


def main() -> int:
    """Answer; 3 where the package is not there."""
    try:
        planner = import_module("service_capacity_modeling.capacity_planner").planner
        says = import_module("service_capacity_modeling.interface")
    except ImportError as absent:
        sys.stderr.write(f"{absent}\n")
        return 3
    answers: list[dict[str, Any]] = []
    for asked in json.load(sys.stdin):
        number = says.certain_int
        pattern = says.QueryPattern(
            estimated_read_per_second=number(round(asked["reads"])), estimated_write_per_second=number(round(asked["writes"])),
            estimated_mean_read_size_bytes=number(max(1, round(asked["read_bytes"]))),
            estimated_mean_write_size_bytes=number(max(1, round(asked["write_bytes"]))),
        )  # fmt: skip
        desires = says.CapacityDesires(service_tier=1, query_pattern=pattern, data_shape=says.DataShape(estimated_state_size_gib=says.certain_float(asked["state_gib"])))
        plans = planner.plan_certain(model_name=asked["model"], region="us-east-1", desires=desires, num_results=1, extra_model_arguments=asked["arguments"])
        answer: dict[str, Any] = {"tier": asked["tier"], "nodes": 0, "cost_yr": 0.0, "instance": "", "version": version("service-capacity-modeling")}
        if plans:
            clusters = plans[0].candidate_clusters
            parts = [*clusters.zonal, *clusters.regional]
            answer |= {"nodes": sum(one.count for one in parts), "cost_yr": float(sum(one.annual_cost for one in parts)), "instance": parts[0].instance.name}
        answers.append(answer)
    sys.stdout.write(json.dumps(answers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
