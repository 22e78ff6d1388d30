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
    "splat_operator_reconcile_total": "counter",
    "splat_operator_reconcile_duration_seconds": "histogram",
    "splat_operator_watch_last_event_timestamp_seconds": "gauge",
    "splat_compressions": "gauge",
    "splat_compressions_finished_total": "counter",
    "splat_compression_queue_wait_seconds": "histogram",
    "splat_compression_duration_seconds": "histogram",
    "splat_compression_ratio": "histogram",
    "splat_compression_input_bytes_total": "counter",
    "splat_compression_output_bytes_total": "counter",
    "splat_compression_gpu_seconds_total": "counter",
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
def phases() -> dict[str, tuple[str, str]]:
    return {}


@pytest.fixture(scope="module")
def scrape(phases: dict[str, tuple[str, str]]) -> Iterator[Scrape]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    stop = metrics.serve(port, phases)

    def read() -> str:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
            return str(response.read().decode())

    yield read
    stop()


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


def test_no_series_tells_when_another_was_created(scrape: Scrape) -> None:
    metrics.record_finish("created", "Succeeded", "Succeeded", STATUS)
    assert "_created" not in scrape()


def test_version(scrape: Scrape) -> None:
    assert list(samples(scrape(), "splat_operator_build_info").values()) == [1]


def test_phases_are_counted_at_scrape_time(scrape: Scrape, phases: dict[str, tuple[str, str]]) -> None:
    phases |= {"1": ("a", "Running"), "2": ("a", "Running"), "3": ("a", "Failed"), "4": ("b", "Running")}
    assert samples(scrape(), "splat_compressions") == {"a/Running": 2, "a/Failed": 1, "b/Running": 1}
    del phases["4"]
    phases["3"] = ("a", "Pending")
    assert samples(scrape(), "splat_compressions") == {"a/Running": 2, "a/Pending": 1}, "series of what is gone"


def test_finish_with_everything(scrape: Scrape) -> None:
    metrics.record_finish("full", "Succeeded", "Succeeded", STATUS)
    text = scrape()
    assert samples(text, "splat_compressions_finished_total", namespace="full") == {"Succeeded/Succeeded": 1}
    assert samples(text, "splat_compression_duration_seconds_sum", namespace="full") == {"Succeeded": 65}
    assert samples(text, "splat_compression_ratio_sum", namespace="full") == {"": 15.5}
    assert samples(text, "splat_compression_input_bytes_total", namespace="full") == {"": 3100}
    assert samples(text, "splat_compression_output_bytes_total", namespace="full") == {"": 200}
    assert samples(text, "splat_compression_gpu_seconds_total", namespace="full") == {"": 12.5}


def test_finish_without_anything(scrape: Scrape) -> None:
    metrics.record_finish("empty", "Failed", "BadInput", {})
    text = scrape()
    assert samples(text, "splat_compressions_finished_total", namespace="empty") == {"BadInput/Failed": 1}
    assert samples(text, "splat_compression_duration_seconds_count", namespace="empty") == {}
    assert samples(text, "splat_compression_ratio_count", namespace="empty") == {}


def test_cache_hit_compressed_nothing(scrape: Scrape) -> None:
    metrics.record_finish("cached", "Succeeded", "CacheHit", STATUS)
    text = scrape()
    assert samples(text, "splat_compressions_finished_total", namespace="cached") == {"CacheHit/Succeeded": 1}
    assert samples(text, "splat_compression_duration_seconds_count", namespace="cached") == {}
    assert samples(text, "splat_compression_input_bytes_total", namespace="cached") == {}


def test_clocks_that_differ_and_numbers_that_cannot_be(scrape: Scrape) -> None:
    backwards = {"startTime": STATUS["completionTime"], "completionTime": STATUS["startTime"], "gpuSeconds": -1.0}
    metrics.record_finish("odd", "Failed", "BadInput", backwards)
    metrics.record_wait("odd", -3)
    text = scrape()
    assert samples(text, "splat_compression_duration_seconds_sum", namespace="odd") == {"Failed": 0}
    assert samples(text, "splat_compression_gpu_seconds_total", namespace="odd") == {"": 0}
    assert samples(text, "splat_compression_queue_wait_seconds_sum", namespace="odd") == {"": 0}


def test_buckets(scrape: Scrape) -> None:
    metrics.record_wait("buckets", 3)
    metrics.record_finish("buckets", "Succeeded", "Succeeded", STATUS)
    text = scrape()
    waits = samples(text, "splat_compression_queue_wait_seconds_bucket", namespace="buckets")
    bounds = [float(bound) for bound in waits]
    assert bounds[:5] == [1, 2.5, 5, 10, 20]
    assert bounds[-2:] == [81920, float("inf")]
    assert [waits[bound] for bound in ("1.0", "2.5", "5.0")] == [0, 0, 1]
    ratios = samples(text, "splat_compression_ratio_bucket", namespace="buckets")
    assert [float(bound) for bound in ratios] == [1, 2, 4, 8, 12, 16, 20, 30, 50, float("inf")]


def test_unknown_reasons_share_one_series(scrape: Scrape) -> None:
    for reason in ("OutOfnvidia.com/gpu", "SomebodysOwnReason"):
        metrics.record_finish("reasons", "Failed", reason, {})
    assert samples(scrape(), "splat_compressions_finished_total", namespace="reasons") == {"Other/Failed": 2}


def test_reasons_written_in_the_source_are_known() -> None:
    pattern = re.compile(r'(?:Cause|Obstacle|Refusal)\("(\w+)"|Verdict\((?:FAILED|SUCCEEDED), "(\w+)"')
    sources = "".join(path.read_text() for path in Path(splat_operator.__path__[0]).rglob("*.py"))
    written = {first or second for first, second in pattern.findall(sources)}
    assert {"OOMKilled", "ResultMissing"} <= written
    assert written <= metrics.KNOWN_REASONS
