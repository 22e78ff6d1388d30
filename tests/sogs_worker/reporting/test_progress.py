"""Progress over all scenes by their bytes: how far, how long still; with a clock of the test's own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sogs_worker.reporting.progress import Progress, Status, counting


class Recorder:
    """Keeps what it is shown, and has the clock."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.shown: list[Status] = []
        self.times_s: list[float] = []
        self.progress = Progress(self, lambda: self.now_s)

    def show(self, status: Status) -> None:
        self.shown.append(status)
        self.times_s.append(self.now_s)

    def aside(self) -> AbstractContextManager[None]:
        return nullcontext()

    @property
    def percents(self) -> list[float]:
        return [round(100 * status.fraction, 2) for status in self.shown]

    @property
    def scenes(self) -> list[tuple[int, int]]:
        return [(status.scenes_done, status.scenes_total) for status in self.shown]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def test_stages_of_a_scene_follow_each_other(recorder: Recorder) -> None:
    for stage, fraction in [("read", 0.0), ("read", 1.0), ("encode", 0.4), ("verify", 0.0), ("write", 0.5)]:
        recorder.progress.report(stage, fraction)
    recorder.progress.finish()
    assert recorder.percents == [0, 10, 40, 85, 95, 100]
    assert recorder.scenes == [(0, 1)] * 5 + [(1, 1)]
    assert recorder.shown[-1].stage == "done"


def test_scenes_count_by_their_bytes(recorder: Recorder) -> None:
    progress = recorder.progress
    progress.split([3000, 1000])
    progress.report("encode", 0.0)
    progress.finish_scene()
    progress.report("encode", 1.0)
    progress.finish_scene()
    progress.finish()
    assert recorder.percents == [7.5, 75, 96.25, 100]
    assert recorder.scenes == [(0, 2), (1, 2), (1, 2), (2, 2)]
    assert [status.stage for status in recorder.shown] == ["encode", "read", "encode", "done"]


def test_an_object_that_is_an_archive_turns_into_its_scenes(recorder: Recorder) -> None:
    progress = recorder.progress
    progress.split([600, 400])
    progress.finish_scene()  # 60 %
    progress.report("read", 0.5)  # 2 of 40 %: the archive's download
    progress.split([300, 100])
    progress.report("read", 0.0)
    progress.finish_scene()
    progress.report("encode", 0.0)
    progress.finish_scene()
    progress.finish()
    assert recorder.percents == pytest.approx([60, 62, 62, 62 + 38 * 3 / 4, 62 + 38 * 3 / 4 + 0.95, 100])
    assert recorder.scenes == [(1, 2), (1, 2), (1, 3), (2, 3), (2, 3), (3, 3)]


def test_it_never_goes_back(recorder: Recorder) -> None:
    for stage, fraction in [("encode", 0.8), ("encode", 0.1), ("read", 0.0), ("encode", 7.0), ("encode", -1.0)]:
        recorder.progress.report(stage, fraction)
    assert recorder.percents == [70, 70, 70, 85, 85]


def test_the_time_left_is_told_once_there_is_something_to_go_by(recorder: Recorder) -> None:
    recorder.progress.report("read", 0.4)
    recorder.now_s = 10.0
    recorder.progress.report("encode", 0.0)
    recorder.now_s = 12.0
    recorder.progress.report("encode", 0.04)
    recorder.progress.report("encode", 0.24)  # 18 of 90 percent: reading is left aside
    recorder.now_s = 40.0
    recorder.progress.finish()
    assert [status.eta_s for status in recorder.shown] == [None, None, None, 8, 0]


@given(
    sizes=st.lists(st.floats(1.0, 100.0), min_size=1, max_size=8),
    first_read=st.floats(0.0, 100.0),
    tail=st.floats(0.0, 0.2),
    pace=st.sampled_from([0.01, 1.0, 60.0]),
)
def test_the_time_left_is_right_within_a_factor_of_two(
    sizes: list[float], first_read: float, tail: float, pace: float
) -> None:
    """Whatever the first download takes; the others come while the scene before is encoded, as in a run."""
    recorder = Recorder()
    progress = recorder.progress
    progress.split([round(1000 * size) for size in sizes])
    recorder.now_s = first_read * pace
    for number, size in enumerate(sizes):
        if number:
            progress.finish_scene()
        for step in range(20):
            progress.report("encode", step / 20)
            recorder.now_s += size * pace / 20
        progress.report("verify", 0.0)
        recorder.now_s += tail * size * pace
    progress.finish()
    slack_s = 1 + max(sizes) * pace / 5  # what comes after an encoding is known roughly
    for then_s, status in zip(recorder.times_s, recorder.shown, strict=True):
        left_s = recorder.now_s - then_s
        assert status.eta_s is None or left_s / 2 - slack_s <= status.eta_s <= 2 * left_s + slack_s
    assert recorder.shown[-1].eta_s == 0


def test_scenes_without_bytes_are_no_trouble(recorder: Recorder) -> None:
    recorder.progress.split([0, 0])
    recorder.progress.finish_scene()
    assert recorder.percents == [50]


def test_a_report_after_the_last_scene_changes_no_figure(recorder: Recorder) -> None:
    recorder.progress.finish_scene()
    recorder.progress.report("write", 0.5)
    assert (recorder.percents, recorder.scenes) == ([100], [(1, 1)])


def test_a_step_is_a_part_of_its_stage(recorder: Recorder) -> None:
    step = recorder.progress.part("encode", 0.2, 0.6)
    step(0.0)
    step(1.0)
    assert recorder.percents == [25, 55]


def run_in_threads(work: Callable[[], object], count: int = 4) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_several_threads_may_report(recorder: Recorder) -> None:
    fractions = [step / 500 for step in range(500)]
    run_in_threads(lambda: [recorder.progress.report("encode", fraction) for fraction in fractions])
    assert len(recorder.percents) == 2000
    assert recorder.percents == sorted(recorder.percents)


def test_bytes_are_counted_from_several_threads() -> None:
    fractions: list[float] = []
    count = counting(4000, fractions.append)
    run_in_threads(lambda: [count(1) for _ in range(1000)])
    assert fractions == sorted(fractions)
    assert (len(fractions), fractions[-1]) == (4000, 1.0)


def test_an_empty_object_is_counted() -> None:
    fractions: list[float] = []
    counting(0, fractions.append)(0)
    assert fractions == [0.0]
