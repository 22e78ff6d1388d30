"""`python -m prometheus.picture`: the dashboard's panels, drawn with matplotlib from what a Prometheus answers.

Without --url an operator of its own compresses scenes for some minutes, and a Prometheus of its own scrapes it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl
from benchmarks.plots import STYLE, save
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter

from chart.helm import CHART
from cluster.cache import default_cache
from cluster.go_groups import METRICS
from cluster.lifecycle import build_besides
from cluster.progress import say
from crd.environment import cluster_environment
from prometheus.dashboard import look_up_variables, queries
from prometheus.load import compress_for, namespace
from prometheus.page import configuration
from prometheus.release import install
from prometheus.server import Api, Prometheus

COLUMNS = 24
"""Of Grafana's grid."""
CELL = (0.6, 0.34)
"""Width and height of one of its cells in inches."""
MARGINS = (0.5, 0.15, 0.3, 0.3)
"""Left, right, above and below of what a panel draws, in inches."""
FORMATS = {
    "s": EngFormatter(unit="s"),
    "bytes": EngFormatter(unit="B"),
    "Bps": EngFormatter(unit="B/s"),
    "percentunit": FuncFormatter(lambda value, _: f"{100 * value:.3g} %"),
}
PLAIN = FuncFormatter(lambda value, _: f"{value:,g}")


def draw(dashboard: Mapping[str, Any], api: Api, path: Path, *, start: float, end: float) -> None:
    """Draw an SVG of what the panels show between two Unix times."""
    variables = look_up_variables(dashboard, api)
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    with mpl.rc_context({**STYLE, "font.size": 8, "axes.titlesize": 9}):
        figure = Figure(figsize=(COLUMNS * CELL[0], rows * CELL[1]))
        for panel in panels:
            axes = figure.add_axes(_place(panel["gridPos"], rows))
            axes.set_title(panel["title"], loc="left")
            show = _draw_stat if panel["type"] == "stat" else _draw_lines
            show(axes, panel, api, variables, (start, end))
        save(figure, path)


def _place(at: Mapping[str, int], rows: int) -> tuple[float, float, float, float]:
    """Left, bottom, width and height of a panel's axes, in parts of the figure."""
    left, right, above, below = MARGINS
    width, height = COLUMNS * CELL[0], rows * CELL[1]
    bottom = height - (at["y"] + at["h"]) * CELL[1]
    return (
        (at["x"] * CELL[0] + left) / width,
        (bottom + below) / height,
        (at["w"] * CELL[0] - left - right) / width,
        (at["h"] * CELL[1] - above - below) / height,
    )


def _draw_stat(
    axes: Axes, panel: Mapping[str, Any], api: Api, variables: Mapping[str, str], shown: tuple[float, float]
) -> None:
    axes.axis("off")
    shows_name = panel["options"].get("textMode") == "name"
    (query,) = queries({"panels": [panel]})
    found = api.get("query", query=query.filled(variables, shown[1] - shown[0]), time=shown[1])["result"]
    for index, sample in enumerate(found):
        name, value = query.named(sample["metric"]), _format(panel)(_rounded(sample["value"][1]))
        words = name if shows_name else value if name == panel["title"] else f"{value}\n{name}"
        axes.text((index + 0.5) / len(found), 0.5, words, ha="center", va="center", fontsize=11)


def _draw_lines(
    axes: Axes, panel: Mapping[str, Any], api: Api, variables: Mapping[str, str], shown: tuple[float, float]
) -> None:
    start, end = shown
    for query in queries({"panels": [panel]}):
        step_s = query.step_s(end - start)
        for line in api.query_range(query.filled(variables, end - start), start=start, end=end, step_s=step_s):
            times, values = zip(*line["values"], strict=True)
            axes.plot(_moments(times), [float(value) for value in values], label=query.named(line["metric"]), lw=1.2)
    axes.set_xlim(*_moments(shown))
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(_format(panel))
    locator = AutoDateLocator(maxticks=5)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))
    if axes.lines:
        axes.legend(loc="upper left", frameon=False, fontsize=6)


def _rounded(number: str) -> float:
    return float(f"{float(number):.3g}")


def _moments(times: Iterable[float]) -> list[datetime]:
    return [datetime.fromtimestamp(seconds, UTC) for seconds in times]


def _format(panel: Mapping[str, Any]) -> Any:
    return FORMATS.get(panel["fieldConfig"]["defaults"].get("unit"), PLAIN)


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw docs/pictures/dashboard.svg or another file."""
    parser = argparse.ArgumentParser(prog="prometheus.picture")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures/dashboard.svg"))
    parser.add_argument("--minutes", type=float, default=8, help="how long the time is that the picture shows")
    parser.add_argument("--url", help="of a Prometheus that scrapes the operator")
    options = parser.parse_args(arguments)
    dashboard = json.loads((CHART / "files" / "dashboard.json").read_text())
    seconds = 60 * options.minutes
    if options.url:
        _draw_last(dashboard, Api(options.url), options.out, seconds)
        return
    environment = cluster_environment()
    with namespace(environment) as kubectl, tempfile.TemporaryDirectory() as folder:
        controller = install(kubectl, Path(folder))
        asked = configuration(kubectl.namespace, kubeconfig=environment["KUBECONFIG"], interval_s=5)
        with Prometheus(build_besides(default_cache(), METRICS) / "prometheus", Path(folder), asked) as server:
            say(f"compressing scenes for {options.minutes:g} minutes")
            compress_for(kubectl, controller, Path(folder), seconds)
            _draw_last(dashboard, server, options.out, seconds)


def _draw_last(dashboard: Mapping[str, Any], api: Api, path: Path, seconds: float) -> None:
    end = time.time()
    draw(dashboard, api, path, start=end - seconds, end=end)
    say(f"wrote {path}")


if __name__ == "__main__":
    main()
