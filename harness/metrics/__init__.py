"""Metrics as pure functions: from a system's answers to numbers, each with its direction and unit.

Every metric is a sum over items and a rule that turns sums into the value, so that any of them can be
resampled with one matrix product. `get` finds one by name: built-in, or of an installed package.
"""

from harness.metrics.items import Items
from harness.metrics.metric import Metric, MetricSeries
from harness.metrics.metric_lookup import builtin_metrics, get
from harness.metrics.parsing import parse

__all__ = ["Items", "Metric", "MetricSeries", "builtin_metrics", "get", "parse"]
