"""The benchmark of a run of many scenes: three processes that move the same bytes, and the table beside them."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from benchmarks.__main__ import main
from benchmarks.arguments import parse_number, parse_speed
from benchmarks.pipeline import Rounds, format_rounds

from s3_server import S3Server


def test_a_run_is_measured_beside_its_parts(
    server: S3Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = server.new_bucket()
    options = ["--bucket", bucket, "--scenes", "2", "--splats", "500", "--rounds", "1"]
    limit = ["--mebibytes-per-second", "2"]
    assert main(["pipeline", *options, *limit, "--work", str(tmp_path / "work")]) == 0
    assert server.keys(bucket) == set()
    output, errors = capsys.readouterr()
    assert main(["pipeline", *options, "--bucket", "none", "--work", str(tmp_path / "work")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("benchmarks: the bucket 'none' of AWS_ENDPOINT_URL cannot be used: ")
    assert list((tmp_path / "work").iterdir()) == []
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in output.splitlines()]
    assert [row[0] for row in table[2:]] == ["unlimited", "2 MiB/s"]
    assert all(float(figure) > 0 for row in table[2:] for figure in row[1:])
    assert [line.partition(":")[0] for line in errors.splitlines()] == ["unlimited", "2 MiB/s"]


def test_the_best_run_is_compared_with_the_larger_of_its_parts() -> None:
    rounds = [
        Rounds("unlimited", encode=[9.0, 8.0], run=[8.8, 9.9], transfer=[1.0, 2.0]),
        Rounds("1 MiB/s", encode=[8.0], run=[12.0], transfer=[10.0]),
    ]
    assert format_rounds(rounds).splitlines()[2:] == [
        "| unlimited | 8.00 | 1.00 | 8.80 | 1.10 |",
        "| 1 MiB/s | 8.00 | 10.00 | 12.00 | 1.20 |",
    ]


@pytest.mark.parametrize("endpoint", ["", "https://s3.example"], ids=["none", "TLS"])
def test_a_server_that_cannot_be_slowed_down_is_refused(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    assert main(["pipeline", "--work", str(tmp_path / "work")]) == 1
    sentence = f"benchmarks: AWS_ENDPOINT_URL is {endpoint!r}; set it to a server at http://, which can be slowed down"
    assert capsys.readouterr().err.splitlines() == [sentence]
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize("text", ["0", "-1", "ten", "1.5", "²"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="write 1 or more"):
        parse_number(text)


@pytest.mark.parametrize("text", ["0", "-1", "ten", "inf", "nan"])
def test_what_is_no_speed_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="write mebibytes per second"):
        parse_speed(text)
