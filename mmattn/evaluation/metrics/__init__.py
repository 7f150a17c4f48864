"""Registered metrics."""

from mmattn.evaluation.metrics.charades_metric import CharadesMetric

__all__ = ['CharadesMetric']
