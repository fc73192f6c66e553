"""Metrics as pure functions: from what a system answered to numbers, each with its direction and unit.

Every metric is a sum over items and a rule that turns sums into the value, so that any of them can be
resampled with one matrix product. `METRICS` lists them; `get` finds one by name.
"""

from harness.metrics.catalogue import METRICS, get
from harness.metrics.items import Items
from harness.metrics.metric import Metric
from harness.metrics.parsing import parse

__all__ = ["METRICS", "Items", "Metric", "get", "parse"]
