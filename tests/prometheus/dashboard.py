"""The dashboard's queries as Grafana sends them: variables looked up and put in."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus.server import Api

VARIABLE = re.compile(r"\$\{?(\w+)\}?")
LABEL_VALUES = re.compile(r"label_values\((?P<series>.+), (?P<label>\w+)\)")
UNITS_S = {"s": 1, "m": 60, "h": 3600}
SCRAPE_INTERVAL_S = 15
"""What Grafana takes for that where its data source does not say."""
POINTS = 300
"""Of a line: about as many as a panel is wide enough for."""


@dataclass(frozen=True)
class Query:
    """One query of a panel.

    Attributes:
        panel: title of the panel.
        expression: with Grafana's variables.
        legend: the template of a line's name.
        is_instant: whether only the newest value is shown.
        min_step_s: the panel's least interval between two points.
    """

    panel: str
    expression: str
    legend: str
    is_instant: bool
    min_step_s: int

    def step_s(self, range_s: float) -> int:
        """Seconds between two points where so many are shown."""
        return max(self.min_step_s, math.ceil(range_s / POINTS))

    def filled(self, variables: Mapping[str, str], range_s: float) -> str:
        """Put in the variables and, for so many seconds, those of Grafana's own. Raises KeyError for an unknown one."""
        step_s = self.step_s(range_s)
        rate_s = max(step_s + self.min_step_s, 4 * self.min_step_s)
        known = {**variables, "__range": f"{range_s:.0f}s", "__interval": f"{step_s}s", "__rate_interval": f"{rate_s}s"}
        return VARIABLE.sub(lambda match: known[match[1]], self.expression)

    def named(self, labels: Mapping[str, str]) -> str:
        """The name of the line with these labels."""
        name = re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), self.legend)
        return name or self.panel


def queries(dashboard: Mapping[str, Any], *, scrape_interval_s: int = SCRAPE_INTERVAL_S) -> Iterator[Query]:
    """All queries of all panels, in their order, for a data source that is said to scrape so often."""
    for panel in dashboard["panels"]:
        min_step_s = _seconds(panel["interval"]) if "interval" in panel else scrape_interval_s
        for target in panel.get("targets", []):
            legend, is_instant = target.get("legendFormat", ""), target.get("instant", False)
            yield Query(panel["title"], target["expr"], legend, is_instant, min_step_s)


def look_up_variables(dashboard: Mapping[str, Any], api: Api) -> dict[str, str]:
    """Values of the dashboard's variables when it is opened: the first of each, and all where that is one's default."""
    values: dict[str, str] = {}
    for variable in dashboard["templating"]["list"]:
        name = variable["name"]
        if variable["type"] == "datasource":
            values[name] = "prometheus"
            continue
        asked = LABEL_VALUES.fullmatch(variable["query"]["query"])
        assert asked, f"the variable {name} has a query that is not understood"
        series = VARIABLE.sub(lambda match: values[match[1]], asked["series"])
        found = api.label_values(asked["label"], series)
        assert found, f"the variable {name} has no value"
        values[name] = variable["allValue"] if variable.get("includeAll") else found[0]
    return values


def _seconds(duration: str) -> int:
    return int(duration[:-1]) * UNITS_S[duration[-1]]
