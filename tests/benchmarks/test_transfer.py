"""The benchmark of transfers: every way moves the object, and the table says how fast."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.__main__ import main
from benchmarks.transfer import Row, format_rows, ways

from s3_server import S3Server


def test_every_way_moves_the_object(server: S3Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--bucket", server.new_bucket(), "--mebibytes", "17", "--rounds", "1", "--work", str(tmp_path / "w")]
    assert main(["transfer", *options]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split("|")[1].strip() for row in rows[2:]] == ways()
    assert {"get: sogs-worker", "put: sogs-worker"} <= set(ways())
    assert not any("failed" in row for row in rows if "CRT" not in row)
    assert list((tmp_path / "w").iterdir()) == []


def test_the_table_compares_with_the_first_of_a_direction() -> None:
    rows = [
        Row("get: a", [2.0, 9.0, 2.5], [3.0, 3.0, 4.0], 64 << 20),
        Row("get: b", [1.0], [1.0], 1 << 20),
        Row("put: c", failure="no bucket"),
    ]
    assert format_rows(rows, 100).splitlines()[2:] == [
        "| get: a | 2.00 | 50 | 1.00 | 3.0 | 64 |",
        "| get: b | 1.00 | 100 | 2.00 | 1.0 | 1 |",
        "| put: c | failed: no bucket | | | | |",
    ]
