"""Progress is a bar on a terminal and JSON lines elsewhere, over all scenes by their bytes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from sogs_worker.bar import format_seconds
from sogs_worker.progress import Progress, Status, showing_progress

STAGES = [("read", 0.0), ("encode", 0.0), ("encode", 0.5), ("write", 1.0)]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that goes on by `step_s` whenever it is read."""

    def __init__(self, step_s: float) -> None:
        self.now_s = 0.0
        self.step_s = step_s

    def __call__(self) -> float:
        self.now_s += self.step_s
        return self.now_s


class Recorder:
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.shown: list[Status] = []

    def show(self, status: Status) -> None:
        self.shown.append(status)

    def aside(self) -> Iterator[None]:
        raise NotImplementedError


def show(stream: io.StringIO, *, as_json: bool, step_s: float = 0.0, scenes: int = 1) -> str:
    with showing_progress([1000] * scenes, as_json=as_json, stream=stream, clock=Clock(step_s)) as progress:
        for _ in range(scenes):
            for stage, fraction in STAGES:
                progress.report(stage, fraction)
            progress.finish_scene()
    return stream.getvalue()


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(("stream", "as_json"), [(io.StringIO(), False), (Terminal(), True)], ids=["pipe", "--json"])
def test_json_lines(stream: io.StringIO, as_json: bool) -> None:
    lines = records(show(stream, as_json=as_json, step_s=1.0))
    assert [line["stage"] for line in lines] == ["read", "encode", "encode", "write", "done"]
    percents = [line["percent"] for line in lines]
    assert percents == sorted(percents)
    assert (percents[0], percents[-1]) == (0, 100)
    assert {"time", "etaSeconds", "scenesDone", "scenesTotal"} < set(lines[0])


def test_at_most_one_line_a_second_over_all_scenes() -> None:
    lines = records(show(io.StringIO(), as_json=True, step_s=0.01, scenes=100))
    assert len(lines) <= 100 * len(STAGES) * 2 * 0.01 + 2
    assert lines[-1]["stage"] == "done"
    assert (lines[-1]["percent"], lines[-1]["scenesDone"], lines[-1]["etaSeconds"]) == (100, 100, 0)


def test_scenes_count_by_their_bytes() -> None:
    recorder = Recorder()
    progress = Progress([3000, 1000], recorder, Clock(1.0))
    progress.report("encode", 0.0)
    progress.finish_scene()
    progress.report("read", 0.0)
    progress.report("encode", 1.0)
    progress.finish_scene()
    assert [round(status.fraction, 4) for status in recorder.shown] == [0.075, 0.75, 0.9625, 1.0]
    assert [status.scenes_done for status in recorder.shown] == [0, 1, 1, 2]
    assert [status.eta_s for status in recorder.shown] == [12, 1, 0, 0]
    assert [status.stage for status in recorder.shown] == ["encode", "read", "encode", "done"]


def test_there_is_no_guess_at_the_beginning() -> None:
    recorder = Recorder()
    Progress([1, 99], recorder, Clock(1.0)).report("write", 1.0)
    assert recorder.shown[0].eta_s is None


def test_scenes_without_bytes_are_no_trouble() -> None:
    recorder = Recorder()
    progress = Progress([0], recorder)
    progress.report("read", 0.0)
    progress.finish_scene()
    assert recorder.shown[-1].fraction == 1.0


def test_a_bar() -> None:
    shown = show(Terminal(), as_json=False, scenes=3)
    assert "3/3" in shown
    assert "━" in shown
    assert "{" not in shown


def test_a_bar_makes_room_for_results(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    with showing_progress([1, 1], as_json=False, stream=terminal) as progress:
        progress.report("encode", 0.5)
        with progress.aside():
            shown = terminal.getvalue()
            print("garden.sog")
            assert terminal.getvalue() == shown
    assert capsys.readouterr().out == "garden.sog\n"


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 s"), (59, "59 s"), (125, "2:05"), (3600, "1:00:00")])
def test_format_seconds(seconds: int, text: str) -> None:
    assert format_seconds(seconds) == text
