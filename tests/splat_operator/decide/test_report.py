"""What the worker says is read with suspicion: whatever comes, a value of the schema's type or None."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressions import RESULT, said
from splat_operator.api.model import Progress
from splat_operator.decide.report import (
    Failure,
    Result,
    merge_progress,
    merge_results,
    parse_failure,
    parse_progress,
    parse_result,
)

LINE = {"time": "x", "stage": "encode", "percent": 40, "etaSeconds": 12, "scenesDone": 0, "scenesTotal": 1}
PARSED = Progress(percent=40, stage="encode", eta_s=12, scenes_done=0, scenes_total=1)

GARBAGE = ["", "Killed", "{", "[]", "null", "3", '"text"', "{}", "[" * 100_000]


def line(**changes: Any) -> str:
    return json.dumps({**LINE, **changes})


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        pytest.param(line(), PARSED, id="one line"),
        pytest.param(line(percent=1) + "\n" + line(), PARSED, id="the last counts"),
        pytest.param(line() + '\n{"message": "hello"}\nTraceback', PARSED, id="others are passed over"),
        pytest.param(line() + "\n" + line(percent="many"), PARSED, id="a broken one is passed over"),
        pytest.param(line() + "\n" + line()[:20], PARSED, id="a torn one is passed over"),
        pytest.param(line(etaSeconds=None), Progress(40, "encode", None, 0, 1), id="no eta"),
        pytest.param(line(percent=140), Progress(100, "encode", 12, 0, 1), id="clamped"),
        pytest.param(line(percent=40.7, etaSeconds=11.9), Progress(40, "encode", 11, 0, 1), id="fractions"),
        *(pytest.param(text, None, id=f"garbage {text[:8]!r}") for text in GARBAGE),
    ],
)
def test_progress(log: str, expected: Progress | None) -> None:
    assert parse_progress(log) == expected


def test_result_has_the_status_fields_and_types() -> None:
    result = parse_result(json.dumps(RESULT))
    assert result is not None
    assert result.status == {
        "outputs": [RESULT["outputs"][0]],
        "inputBytes": 1000,
        "outputBytes": 100,
        "compressionRatio": 10.0,
        "splats": 50,
        "cacheHits": 0,
        "manifestUri": "s3://scenes/compressed/garden.manifest.json",
        "engine": "native",
        "device": "cpu",
    }


@pytest.mark.parametrize(
    ("counts", "is_cached"),
    [
        ({}, False),
        ({"scenes": 1, "cacheHits": 1}, True),
        ({"scenes": 3, "cacheHits": 1}, False),
        ({"scenes": 0, "cacheHits": 0}, False),
        ({"cacheHits": 1}, True),
    ],
    ids=str,
)
def test_a_result_is_cached_if_all_outputs_are(counts: dict[str, int], is_cached: bool) -> None:
    result = parse_result(json.dumps({**RESULT, **counts}))
    assert result is not None
    assert result.is_cached is is_cached


def test_optional_output_fields_are_kept() -> None:
    output = {**RESULT["outputs"][0], "psnr": 38.126, "previewUri": "s3://x/y.png", "more": 1}
    result = parse_result(json.dumps({**RESULT, "outputs": [output]}))
    assert result is not None
    assert result.status["outputs"][0]["psnr"] == 38.13
    assert result.status["outputs"][0]["previewUri"] == "s3://x/y.png"
    assert "more" not in result.status["outputs"][0]


@pytest.mark.parametrize(
    ("counts", "removed"),
    [
        ({"invisible": 3, "merged": 97.0}, {"invisible": 3, "merged": 97}),
        ({"merged": -1}, {"merged": 0}),
        ({str(number): 1 for number in range(99)}, {str(number): 1 for number in range(16)}),
        ({"r" * 99: 1}, {"r" * 64: 1}),
        ({}, None),
        (None, None),
    ],
    ids=lambda value: str(value)[:30],
)
def test_removed_splats_are_counted_by_reason(counts: Any, removed: Any) -> None:
    result = parse_result(json.dumps({**RESULT, "removed": counts}))
    assert result is not None
    assert result.status.get("removed") == removed


def test_removed_splats_of_all_pods_are_counted() -> None:
    parts = [parse_result(json.dumps({**RESULT, "removed": counts})) for counts in ({"merged": 3}, {}, {"merged": 4})]
    assert merge_results([part for part in parts if part]).status["removed"] == {"merged": 7}
    plain = [part for part in parts[1:2] if part]
    assert "removed" not in merge_results(plain * 2).status


def test_first_fifty_outputs_are_kept() -> None:
    result = parse_result(json.dumps({**RESULT, "outputs": RESULT["outputs"] * 60}))
    assert result is not None
    assert len(result.status["outputs"]) == 50


@pytest.mark.parametrize("output_bytes", [0, -1], ids=str)
def test_no_ratio_without_output(output_bytes: int) -> None:
    result = parse_result(json.dumps({**RESULT, "outputBytes": output_bytes}))
    assert result is not None
    assert "compressionRatio" not in result.status


@pytest.mark.parametrize(
    "message",
    [
        *GARBAGE,
        json.dumps({**RESULT, "version": 2}),
        json.dumps({**RESULT, "outputs": None}),
        json.dumps({**RESULT, "removed": [1]}),
        json.dumps({**RESULT, "removed": {"merged": "many"}}),
        json.dumps({**RESULT, "outputs": [1]}),
        json.dumps({**RESULT, "inputBytes": "many"}),
        json.dumps({**RESULT, "inputBytes": float("nan")}),
        json.dumps({**RESULT, "splats": 2**63}),
        json.dumps({**RESULT, "splats": float("inf")}),
        json.dumps({name: value for name, value in RESULT.items() if name != "splats"}),
        json.dumps(RESULT)[:-30],
        said("BadInput", "No."),
    ],
    ids=lambda message: message[:12],
)
def test_no_result(message: str) -> None:
    assert parse_result(message) is None


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param(said("BadInput", "It is a text."), Failure("BadInput", "It is a text."), id="known reason"),
        pytest.param(said("Internal", "Bug."), Failure("Internal", "Bug."), id="internal"),
        pytest.param(said("No such reason!", "x"), None, id="reason unfit for a condition"),
        pytest.param(said("BadInput", ""), None, id="no words"),
        pytest.param(said("BadInput", "x" * 5000), Failure("BadInput", "x" * 1024), id="too many words"),
        pytest.param(json.dumps({"error": {"reason": ["a"], "message": "x"}}), None, id="reason of another type"),
        pytest.param(json.dumps(RESULT), None, id="a result"),
        *(pytest.param(text, None, id=f"garbage {text[:8]!r}") for text in GARBAGE),
    ],
)
def test_failure(message: str, expected: Failure | None) -> None:
    assert parse_failure(message) == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*sorted(RESULT), "error"]), inner),
    max_leaves=8,
)


@settings(max_examples=50)
@given(json_values)
def test_nothing_is_raised_for_any_json(value: Any) -> None:
    text = json.dumps(value)
    parse_progress(text)
    parse_result(text)
    parse_failure(text)


@settings(max_examples=25)
@given(st.fixed_dictionaries(dict.fromkeys(LINE, json_values)))
def test_progress_is_in_range_for_any_values(entry: dict[str, Any]) -> None:
    progress = parse_progress(json.dumps(entry))
    assert progress is None or (0 <= progress.percent <= 100 and (progress.eta_s or 0) >= 0)


def part(scenes: int = 1) -> Result:
    found = parse_result(json.dumps({**RESULT, "scenes": scenes}))
    assert found
    return found


READ, ENCODE = Progress(10, "read", None, 0, 4), Progress(50, "encode", 30, 2, 4)


@pytest.mark.parametrize(
    ("readings", "finished", "shares", "expected"),
    [
        pytest.param([], [], 1, None, id="nothing is known"),
        pytest.param([ENCODE], [], 1, ENCODE, id="one pod"),
        pytest.param([ENCODE, READ], [], 2, Progress(30, "read", None, 2, 8), id="the last one's stage"),
        pytest.param([ENCODE], [part(3)], 2, Progress(75, "encode", 30, 5, 7), id="one has ended"),
        pytest.param([ENCODE], [], 2, Progress(25, "encode", None, 2, 4), id="one waits"),
        pytest.param([], [part()], 2, None, id="nobody runs"),
    ],
)
def test_progress_of_several_pods(
    readings: list[Progress], finished: list[Result], shares: int, expected: Progress | None
) -> None:
    assert merge_progress(readings, finished, shares=shares) == expected


def test_result_of_one_pod_is_the_result() -> None:
    assert merge_results([part()]) == part()


def test_results_show_the_first_fifty_outputs() -> None:
    entries = [{**RESULT["outputs"][0], "name": f"scene-{number:02}"} for number in range(40)]
    found = parse_result(json.dumps({**RESULT, "outputs": entries, "scenes": 40}))
    assert found
    merged = merge_results([found, found])
    assert (len(merged.status["outputs"]), merged.scenes) == (50, 80)


def test_device_is_of_the_pods_that_had_something_to_do() -> None:
    idle = parse_result(json.dumps({**RESULT, "outputs": [], "scenes": 0, "device": "cuda"}))
    assert idle
    assert merge_results([idle, part()]).status["device"] == "cpu"
