"""Progress: how often, how far, how long still; with a clock of the test's own."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from sogs_worker.joblog import ProgressLog, counting, write_message


class Watched:
    """A log whose lines and clock the test holds."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.lines: list[dict[str, Any]] = []
        self.log = ProgressLog(write=self.lines.append, clock=lambda: self.now_s)

    def at(self, now_s: float, stage: str, fraction: float) -> None:
        """Report at a time."""
        self.now_s = now_s
        self.log.report(stage, fraction)


def test_writes_a_line_a_second_and_one_at_each_stage() -> None:
    watched = Watched()
    for hundredth in range(300):
        watched.at(hundredth / 100, "encode", hundredth / 300)
    watched.at(2.995, "write", 0.0)
    watched.at(2.996, "write", 0.5)
    assert [line["stage"] for line in watched.lines] == ["encode"] * 3 + ["write"]


def test_counts_the_percent_of_the_whole_run() -> None:
    watched = Watched()
    for now_s, stage, fraction in [(0, "read", 0), (1, "read", 1), (2, "encode", 0.5), (3, "write", 0), (4, "done", 1)]:
        watched.at(now_s, stage, fraction)
    percents = [line["percent"] for line in watched.lines]
    assert percents[0] == 0
    assert percents == sorted(percents)
    assert 40 < percents[2] < 60
    assert percents[-1] == 100


def test_never_goes_back() -> None:
    watched = Watched()
    watched.at(0, "encode", 0.8)
    watched.at(2, "encode", 0.1)
    watched.at(4, "encode", 7.0)
    percents = [line["percent"] for line in watched.lines]
    assert percents[0] == percents[1] < percents[2] <= 85


def test_estimates_the_time_left_once_there_is_something_to_go_by() -> None:
    watched = Watched()
    watched.at(0, "read", 0.0)
    watched.at(10, "encode", 0.2)  # 25 %
    assert [line["etaSeconds"] for line in watched.lines] == [None, 30]


def test_counts_bytes_from_several_threads() -> None:
    fractions: list[float] = []
    count = counting(4000, fractions.append)
    threads = [threading.Thread(target=lambda: [count(1) for _ in range(1000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fractions == sorted(fractions)
    assert (len(fractions), fractions[-1]) == (4000, 1.0)


def test_counts_an_empty_object() -> None:
    fractions: list[float] = []
    counting(0, fractions.append)(0)
    assert fractions == [0.0]


def test_messages_are_lines_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    write_message('two\nlines and "quotes"')
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["message"] == 'two\nlines and "quotes"'
