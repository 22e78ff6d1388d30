"""The dashboard's file: Grafana would draw it as it is meant."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest

from chart.helm import CHART
from prometheus.dashboard import VARIABLE, queries

GRAFANAS_OWN = {"__interval", "__range", "__rate_interval"}


@pytest.fixture
def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CHART / "files" / "dashboard.json").read_text())
    return found


def test_panels_do_not_overlap(dashboard: dict[str, Any]) -> None:
    cells = []
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells += product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"]))
    assert len(cells) == len(set(cells))
    assert {x for x, _ in cells} == set(range(24))
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_queries_name_variables_that_there_are(dashboard: dict[str, Any]) -> None:
    """And each is of use: the two that tell operators apart in every query."""
    declared = {variable["name"] for variable in dashboard["templating"]["list"]}
    named = [set(VARIABLE.findall(query.expression)) for query in queries(dashboard)]
    assert set().union(*named) - GRAFANAS_OWN == declared - {"datasource"}
    assert all({"operator", "job"} <= names for names in named)
    sources = [panel["datasource"]["uid"] for panel in dashboard["panels"] if panel["type"] != "row"]
    assert set(sources) == {"${datasource}"}
