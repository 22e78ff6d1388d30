"""Progress is a bar on a terminal and JSON lines elsewhere, at most one a second."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from sogs_worker.reporting.bar import format_seconds
from sogs_worker.reporting.display import Lines, showing_progress
from sogs_worker.reporting.progress import Status


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Schedule:
    """A clock and what is to happen at its times."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.actions: list[tuple[float, Callable[[], None]]] = []

    def clock(self) -> float:
        return self.now_s

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        self.actions.append((self.now_s + delay_s, action))

    def advance(self, now_s: float) -> None:
        """Let time go on, and happen what is due."""
        while due := [entry for entry in self.actions if entry[0] <= now_s]:
            self.actions.remove(due[0])
            self.now_s = due[0][0]
            due[0][1]()
        self.now_s = now_s


class Watched:
    """Lines whose times and texts the test holds."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.schedule = Schedule()
        self.lines = Lines(self.stream, self.schedule.clock, self.schedule.later)

    def show(self, now_s: float, stage: str, fraction: float = 0.5) -> None:
        self.schedule.advance(now_s)
        self.lines.show(Status(stage, fraction, None, 0, 1))

    @property
    def stages(self) -> list[str]:
        return [line["stage"] for line in records(self.stream.getvalue())]


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


class TestLines:
    def test_the_first_and_the_last_are_written_at_once(self) -> None:
        watched = Watched()
        watched.show(0.0, "read")
        assert watched.stages == ["read"]
        watched.show(0.1, "encode")
        watched.show(0.2, "done", 1.0)
        assert watched.stages == ["read", "done"]
        watched.schedule.advance(9.0)
        assert watched.stages == ["read", "done"]

    def test_a_new_stage_waits_for_its_second_and_needs_no_other_report(self) -> None:
        watched = Watched()
        watched.show(0.0, "read")
        watched.show(0.3, "encode")
        watched.show(0.7, "verify")
        watched.schedule.advance(0.99)
        assert watched.stages == ["read"]
        watched.schedule.advance(1.0)
        assert watched.stages == ["read", "verify"]

    def test_there_is_a_line_a_second_however_often_a_status_is_shown(self) -> None:
        watched = Watched()
        written: list[float] = []
        for hundredth in range(500):
            watched.show(hundredth / 100, "encode", hundredth / 500)
            written += [watched.schedule.now_s] * (len(watched.stages) - len(written))
        assert written == pytest.approx([0, 1, 2, 3, 4], abs=0.011)

    def test_a_timer_that_fires_early_loses_nothing(self) -> None:
        watched = Watched()
        watched.show(0.0, "read")
        watched.show(0.5, "encode")
        ((_, action),) = watched.schedule.actions
        watched.schedule.actions.clear()
        action()
        assert watched.stages == ["read"]
        watched.schedule.advance(1.0)
        assert watched.stages == ["read", "encode"]

    def test_a_line_has_the_fields_of_the_page(self) -> None:
        stream = io.StringIO()
        Lines(stream).show(Status("encode", 0.405, 12, 2, 3))
        (line,) = records(stream.getvalue())
        assert line.pop("time").endswith("Z")
        assert line == {"stage": "encode", "percent": 40, "etaSeconds": 12, "scenesDone": 2, "scenesTotal": 3}

    def test_nothing_is_written_after_the_end(self) -> None:
        watched = Watched()
        with watched.lines as lines:
            watched.show(0.0, "read")
            lines.show(Status("encode", 0.5, None, 0, 1))
        watched.schedule.advance(9.0)
        assert watched.stages == ["read"]


class TestShowingProgress:
    @pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["pipe", "terminal"])
    def test_ends_with_everything_done(self, stream: io.StringIO) -> None:
        with showing_progress(as_json=True, stream=stream) as progress:
            progress.split([1000, 1000])
            progress.report("read", 0.0)
        lines = records(stream.getvalue())
        assert [(line["stage"], line["percent"], line["scenesDone"]) for line in lines] == [
            ("read", 0, 0),
            ("done", 100, 2),
        ]

    @pytest.mark.parametrize(
        ("stream", "as_json", "is_quiet"),
        [(io.StringIO(), False, False), (Terminal(), False, True), (io.StringIO(), True, True)],
        ids=["pipe", "--quiet", "--quiet --json"],
    )
    def test_is_silent_where_nobody_looks(self, stream: io.StringIO, as_json: bool, is_quiet: bool) -> None:
        with showing_progress(as_json=as_json, is_quiet=is_quiet, stream=stream) as progress:
            progress.report("read", 0.0)
        assert stream.getvalue() == ""

    def test_does_not_say_so_of_nothing_made(self) -> None:
        stream = io.StringIO()
        with showing_progress(as_json=True, stream=stream) as progress:
            progress.report("read", 0.0)
            progress.give_up()
        assert [line["stage"] for line in records(stream.getvalue())] == ["read"]

    def test_does_not_say_so_of_a_failure(self) -> None:
        stream = io.StringIO()
        with suppress(ValueError), showing_progress(as_json=True, stream=stream) as progress:
            progress.report("read", 0.0)
            raise ValueError
        assert [line["stage"] for line in records(stream.getvalue())] == ["read"]


class TestBar:
    def test_counts_scenes(self) -> None:
        terminal = Terminal()
        with showing_progress(as_json=False, stream=terminal) as progress:
            progress.split([1000] * 3)
            for _ in range(3):
                progress.report("encode", 0.5)
                progress.finish_scene()
        shown = terminal.getvalue()
        assert "3/3" in shown
        assert "━" in shown
        assert "{" not in shown

    def test_makes_room_for_results(self, capsys: pytest.CaptureFixture[str]) -> None:
        terminal = Terminal()
        with showing_progress(as_json=False, stream=terminal) as progress:
            progress.report("encode", 0.5)
            with progress.aside():
                shown = terminal.getvalue()
                print("garden.sog")
                assert terminal.getvalue() == shown
        assert capsys.readouterr().out == "garden.sog\n"

    @pytest.mark.parametrize(("seconds", "text"), [(0, "0 s"), (59, "59 s"), (125, "2:05"), (3600, "1:00:00")])
    def test_format_seconds(self, seconds: int, text: str) -> None:
        assert format_seconds(seconds) == text
