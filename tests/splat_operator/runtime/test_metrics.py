"""What Prometheus reads, over HTTP: names, labels, buckets, and that labels stay bounded."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

import splat_operator
from splat_operator.runtime import metrics

Scrape = Callable[[], str]

NAMES = {
    "splat_operator_build_info": "gauge",
    "splat_operator_leading": "gauge",
    "splat_operator_reconcile_total": "counter",
    "splat_operator_reconcile_duration_seconds": "histogram",
    "splat_operator_api_requests_total": "counter",
    "splat_operator_log_reads_failed_total": "counter",
    "splat_operator_queue_depth": "gauge",
    "splat_operator_queue_age_seconds": "gauge",
    "splat_operator_watch_last_event_timestamp_seconds": "gauge",
    "splat_operator_watch_last_list_timestamp_seconds": "gauge",
    "splat_operator_watch_silent_seconds": "gauge",
    "splat_compressions": "gauge",
    "splat_compressions_finished_total": "counter",
    "splat_compression_queue_wait_seconds": "histogram",
    "splat_compression_duration_seconds": "histogram",
    "splat_compression_ratio": "histogram",
    "splat_compression_input_bytes_total": "counter",
    "splat_compression_output_bytes_total": "counter",
    "splat_compression_gpu_seconds_total": "counter",
    "splat_compression_cost_total": "counter",
}
STATUS = {
    "startTime": "2026-01-01T00:00:00Z",
    "completionTime": "2026-01-01T00:01:05Z",
    "compressionRatio": 15.5,
    "inputBytes": 3100,
    "outputBytes": 200,
    "gpuSeconds": 12.5,
}


@pytest.fixture(scope="module")
def phases() -> dict[tuple[str, str], int]:
    return {}


@pytest.fixture(scope="module", params=["127.0.0.1", "[::1]"])
def scrape(phases: dict[tuple[str, str], int], request: pytest.FixtureRequest) -> Iterator[Scrape]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    watches = metrics.WatchTimes(last_events={"jobs": 17.0}, last_lists={"jobs": 5.0}, silent_s={"jobs": 2.5})
    stop = metrics.serve(port, metrics.StateCollector(lambda: phases, lambda: watches, lambda: (3, 1.5)))

    def read() -> str:
        with urlopen(f"http://{request.param}:{port}/metrics", timeout=5) as response:
            return str(response.read().decode())

    yield read
    stop()
    for metric in (*metrics._OF_NAMESPACES, metrics.DURATION):
        metric.clear()


def samples(text: str, name: str, **labels: str) -> dict[str, float]:
    """Values of the series with these labels, by the values of the others in alphabetical order."""
    found = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {
        "/".join(value for label, value in sample.labels.items() if label not in labels): sample.value
        for sample in found
        if sample.name == name and labels.items() <= sample.labels.items()
    }


def test_names_and_types(scrape: Scrape) -> None:
    assert dict(re.findall(r"^# TYPE (splat_\w+) (\w+)$", scrape(), re.MULTILINE)) == NAMES


def test_the_page_has_every_metric() -> None:
    page = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text()
    assert set(re.findall(r"`(splat_\w+)`", page)) == set(NAMES)


def test_no_series_tells_when_another_was_created(scrape: Scrape) -> None:
    metrics.record_finish("created", "Succeeded", "Succeeded", STATUS)
    assert "_created" not in scrape()


def test_version(scrape: Scrape) -> None:
    assert list(samples(scrape(), "splat_operator_build_info").values()) == [1]


def test_phases_are_counted_at_scrape_time(scrape: Scrape, phases: dict[tuple[str, str], int]) -> None:
    phases.clear()
    phases |= {("a", "Running"): 2, ("a", "Failed"): 1, ("b", "Running"): 1}
    assert samples(scrape(), "splat_compressions") == {"a/Running": 2, "a/Failed": 1, "b/Running": 1}
    phases.clear()
    phases |= {("a", "Running"): 2, ("a", "Pending"): 1}
    assert samples(scrape(), "splat_compressions") == {"a/Running": 2, "a/Pending": 1}, "series of what is gone"


def test_what_each_watch_has_heard(scrape: Scrape) -> None:
    text = scrape()
    assert samples(text, "splat_operator_watch_last_event_timestamp_seconds") == {"jobs": 17}
    assert samples(text, "splat_operator_watch_last_list_timestamp_seconds") == {"jobs": 5}
    assert samples(text, "splat_operator_watch_silent_seconds") == {"jobs": 2.5}


def test_what_waits_for_a_pass(scrape: Scrape) -> None:
    text = scrape()
    assert samples(text, "splat_operator_queue_depth") == {"": 3}
    assert samples(text, "splat_operator_queue_age_seconds") == {"": 1.5}


def test_the_time_of_a_pass_is_told_up_to_a_minute(scrape: Scrape) -> None:
    assert "60.0" in samples(scrape(), "splat_operator_reconcile_duration_seconds_bucket")


def test_requests_are_counted_by_what_they_are(scrape: Scrape) -> None:
    before = samples(scrape(), "splat_operator_api_requests_total").get("201/jobs/create", 0)
    metrics.record_request("create", "jobs", 201)
    assert samples(scrape(), "splat_operator_api_requests_total")["201/jobs/create"] == before + 1


def test_series_of_a_namespace_go_an_hour_after_its_last_resource(scrape: Scrape) -> None:
    """Not at once: what has just finished may be deleted before it was ever scraped."""
    now = [0.0]
    series = metrics.NamespaceSeries(lambda: now[0])
    for namespace in ("leaving", "staying"):
        metrics.record_finish(namespace, "Succeeded", "Succeeded", STATUS)

    def known() -> set[str]:
        names = ("splat_compressions_finished_total", "splat_compression_input_bytes_total")
        return {key for name in names for key in _namespaces(scrape(), name)} & {"leaving", "staying"}

    series.sweep({"staying"})
    now[0] = 3599.0
    series.sweep({"staying"})
    assert known() == {"leaving", "staying"}
    now[0] = 3600.0
    series.sweep({"staying"})
    assert known() == {"staying"}


def test_a_namespace_that_is_used_again_keeps_its_series(scrape: Scrape) -> None:
    now = [0.0]
    series = metrics.NamespaceSeries(lambda: now[0])
    metrics.record_finish("again", "Succeeded", "Succeeded", STATUS)
    for moment, present in ((0.0, set()), (3000.0, {"again"}), (3500.0, set()), (5000.0, set())):
        now[0] = moment
        series.sweep(present)
    assert "again" in _namespaces(scrape(), "splat_compressions_finished_total")


def _namespaces(text: str, name: str) -> set[str]:
    found = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {sample.labels["namespace"] for sample in found if sample.name == name}


def _growth(scrape: Scrape, name: str, happen: Callable[[], None]) -> dict[str, float]:
    """How much the series of a metric grow by what happens."""
    before = samples(scrape(), name)
    happen()
    return {
        labels: value - before.get(labels, 0)
        for labels, value in samples(scrape(), name).items()
        if value != before.get(labels, 0)
    }


def test_finish_with_everything(scrape: Scrape) -> None:
    def finish() -> None:
        metrics.record_finish("full", "Succeeded", "Succeeded", STATUS)

    assert _growth(scrape, "splat_compression_duration_seconds_sum", finish) == {"Succeeded": 65}
    assert _growth(scrape, "splat_compression_ratio_sum", finish) == {"": 15.5}
    text = scrape()
    assert samples(text, "splat_compressions_finished_total", namespace="full") == {"Succeeded/Succeeded": 2}
    assert samples(text, "splat_compression_input_bytes_total", namespace="full") == {"": 6200}
    assert samples(text, "splat_compression_output_bytes_total", namespace="full") == {"": 400}
    assert samples(text, "splat_compression_gpu_seconds_total", namespace="full") == {"": 25}


def test_finish_without_anything(scrape: Scrape) -> None:
    def finish() -> None:
        metrics.record_finish("empty", "Failed", "BadInput", {})

    assert _growth(scrape, "splat_compression_duration_seconds_count", finish) == {}
    assert _growth(scrape, "splat_compression_ratio_count", finish) == {}
    assert samples(scrape(), "splat_compressions_finished_total", namespace="empty") == {"BadInput/Failed": 2}


def test_cache_hit_compressed_nothing(scrape: Scrape) -> None:
    def finish() -> None:
        metrics.record_finish("cached", "Succeeded", "CacheHit", STATUS)

    assert _growth(scrape, "splat_compression_duration_seconds_count", finish) == {}
    text = scrape()
    assert samples(text, "splat_compressions_finished_total", namespace="cached") == {"CacheHit/Succeeded": 1}
    assert samples(text, "splat_compression_input_bytes_total", namespace="cached") == {}


def test_what_a_run_used_is_counted_by_namespace_and_label(scrape: Scrape) -> None:
    priced = {**STATUS, "cost": {"amount": 0.5, "currency": "EUR"}}
    for label in ("vision", "vision", "maps"):
        metrics.record_finish("priced", "Succeeded", "CacheHit", priced, label=label)
    metrics.record_finish("priced", "Failed", "OOMKilled", {"gpuSeconds": 2.0})
    text = scrape()
    assert samples(text, "splat_compression_gpu_seconds_total", namespace="priced") == {
        "vision": 25,
        "maps": 12.5,
        "": 2,
    }
    assert samples(text, "splat_compression_cost_total", namespace="priced") == {"EUR/vision": 1, "EUR/maps": 0.5}


def test_labels_without_end_do_not_make_series_without_end(scrape: Scrape) -> None:
    for number in range(metrics.MAX_LABELS + 20):
        metrics.record_finish("many", "Succeeded", "Succeeded", STATUS, label=f"run-{number}")
    found = samples(scrape(), "splat_compression_gpu_seconds_total", namespace="many")
    assert len(found) == metrics.MAX_LABELS + 1
    assert found[metrics.OTHER] == 20 * STATUS["gpuSeconds"]


def test_clocks_that_differ_and_numbers_that_cannot_be(scrape: Scrape) -> None:
    backwards = {"startTime": STATUS["completionTime"], "completionTime": STATUS["startTime"], "gpuSeconds": -1.0}

    def happen() -> None:
        metrics.record_finish("odd", "Failed", "BadInput", backwards)
        metrics.record_wait(-3)

    assert _growth(scrape, "splat_compression_duration_seconds_sum", happen) == {}
    assert _growth(scrape, "splat_compression_queue_wait_seconds_sum", happen) == {}
    assert samples(scrape(), "splat_compression_gpu_seconds_total", namespace="odd") == {"": 0}


def test_buckets(scrape: Scrape) -> None:
    waits = _growth(scrape, "splat_compression_queue_wait_seconds_bucket", lambda: metrics.record_wait(3))
    assert "2.5" not in waits
    assert waits["5.0"] == waits["+Inf"] == 1
    bounds = [float(bound) for bound in samples(scrape(), "splat_compression_queue_wait_seconds_bucket")]
    assert bounds[:5] == [1, 2.5, 5, 10, 20]
    assert bounds[-2:] == [81920, float("inf")]
    ratios = samples(scrape(), "splat_compression_ratio_bucket")
    assert [float(bound) for bound in ratios] == [1, 2, 4, 8, 12, 16, 20, 30, 50, float("inf")]


def test_unknown_reasons_share_one_series(scrape: Scrape) -> None:
    for reason in ("OutOfnvidia.com/gpu", "SomebodysOwnReason"):
        metrics.record_finish("reasons", "Failed", reason, {})
    assert samples(scrape(), "splat_compressions_finished_total", namespace="reasons") == {"Other/Failed": 2}


def test_reasons_written_in_the_source_are_known() -> None:
    pattern = re.compile(r'(?:Cause|Obstacle|Refusal)\("(\w+)"|Verdict\((?:FAILED|SUCCEEDED), "(\w+)"')
    sources = "".join(path.read_text() for path in Path(splat_operator.__path__[0]).rglob("*.py"))
    written = {first or second for first, second in pattern.findall(sources)}
    assert {"OOMKilled", "InitContainerFailed"} <= written
    assert written <= metrics.KNOWN_REASONS
