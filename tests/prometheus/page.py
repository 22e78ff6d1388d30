"""The examples of docs/metrics.md, and Prometheus' configuration made from the one there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from pages import fences

PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
RULES = "splat-operator.rules.yaml"
"""The file of rules that the page's configuration names."""


def examples(language: str) -> list[str]:
    """The page's blocks in that language."""
    return fences(PAGE.name, language)


def values_example() -> dict[str, Any]:
    """The chart's values that turn on all that is for Prometheus and Grafana."""
    return next(block for block in map(yaml.safe_load, examples("yaml")) if "metrics" in block)


def configuration(namespace: str, *, kubeconfig: str, interval_s: float) -> dict[str, Any]:
    """The page's configuration for an operator in that namespace, from outside of the cluster."""
    found = next(block for block in map(yaml.safe_load, examples("yaml")) if "scrape_configs" in block)
    (job,) = found["scrape_configs"]
    (discovery,) = job["kubernetes_sd_configs"]
    discovery |= {"namespaces": {"names": [namespace]}, "kubeconfig_file": kubeconfig}
    every = f"{interval_s:g}s"
    return {"global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every}, **found}
