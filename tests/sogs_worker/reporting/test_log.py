"""The Job's log: lines of JSON, whoever speaks."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sogs_worker.errors import StorageError
from sogs_worker.reporting.log import LineHandler, relay, write_message

WORKER = Path(__file__).parents[3] / "worker"
SPEAK = """
import logging, os, sys, threading, warnings
from sogs_worker.reporting.log import start_logging
start_logging(os.environ)
logging.getLogger("urllib3.connectionpool").warning("Retrying: %s", "/a.ply?X-Amz-Signature=0a1b")
logging.getLogger("sogs_worker").info("not told")
logging.getLogger("sogs_worker").warning("a record that %d cannot be formatted", "here")
warnings.warn("so many points", stacklevel=1)
thread = threading.Thread(target=lambda: {}["in a thread"])
thread.start()
thread.join()
raise ValueError("https://host/a.ply?sig=0a1b with " + os.environ["SOURCE_AWS_SECRET_ACCESS_KEY"])
"""


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_message_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    write_message('two\nlines and "quotes"')
    (line,) = records(capsys.readouterr().out)
    assert line.pop("time").endswith("Z")
    assert line == {"level": "info", "message": 'two\nlines and "quotes"'}


@pytest.fixture(scope="module")
def ended() -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(WORKER), "SOURCE_AWS_SECRET_ACCESS_KEY": "s3cr3t"}
    return subprocess.run([sys.executable, "-c", SPEAK], env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def lines(ended: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return records(ended.stdout)


class TestProcess:
    """All that a process says, from a log record to the exception that ends it."""

    def test_is_on_standard_output_and_json(self, ended: subprocess.CompletedProcess[str]) -> None:
        assert (ended.returncode, ended.stderr) == (1, "")
        assert all({"time", "level", "message"} <= set(line) for line in records(ended.stdout))

    def test_has_records_from_warnings_up(self, lines: list[dict[str, Any]]) -> None:
        assert [line["level"] for line in lines] == ["warning", "warning", "critical", "critical"]
        assert lines[0]["message"] == "Retrying: /a.ply"
        assert "UserWarning: so many points" in lines[1]["message"]

    def test_has_what_nobody_caught_with_its_traceback(self, lines: list[dict[str, Any]]) -> None:
        assert lines[2]["message"] == "uncaught KeyError: 'in a thread'"
        assert lines[3]["message"] == "uncaught ValueError: https://host/a.ply with ***"
        assert all(line["traceback"].startswith("Traceback (most recent call last)") for line in lines[2:])
        assert not any("traceback" in line for line in lines[:2])

    def test_shows_no_secret(self, ended: subprocess.CompletedProcess[str]) -> None:
        assert "0a1b" not in ended.stdout
        assert "s3cr3t" not in ended.stdout


class TestRecords:
    @pytest.fixture
    def logger(self) -> Iterator[logging.Logger]:
        logger = logging.Logger("apart")
        logger.addHandler(LineHandler(["s3cr3t"]))
        yield logger
        logger.handlers.clear()

    @pytest.mark.parametrize(
        ("level", "error", "is_traced"),
        [
            (logging.ERROR, ValueError("https://host/a?sig=0a1b s3cr3t"), True),
            (logging.ERROR, StorageError("the disk is full; use a larger one"), False),
            (logging.WARNING, ConnectionResetError("by peer"), False),
        ],
        ids=["unexpected", "our own", "got over"],
    )
    def test_only_what_is_unexpected_has_a_traceback(
        self,
        logger: logging.Logger,
        capsys: pytest.CaptureFixture[str],
        level: int,
        error: Exception,
        is_traced: bool,
    ) -> None:
        logger.log(level, "it went wrong", exc_info=error)
        (line,) = records(capsys.readouterr().out)
        assert ("traceback" in line) == is_traced
        assert "0a1b" not in json.dumps(line)
        assert "s3cr3t" not in json.dumps(line)


def test_another_process_words_become_lines(caplog: pytest.LogCaptureFixture) -> None:
    relay(io.BytesIO(b"terminate called\n\n  what(): \xff bad_alloc\nno end"))
    assert [record.getMessage() for record in caplog.records] == [
        "terminate called",
        "what(): \ufffd bad_alloc",
        "no end",
    ]
