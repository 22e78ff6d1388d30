"""Real processes: one that ends, one that fails, one that runs too long, one that takes memory."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from benchmarks.process import LAUNCHER, fill_in, run_measured, telling_line

MEGABYTE = 1_000_000


def test_it_returns_what_a_command_writes_and_how_long_it_took() -> None:
    usage = run_measured(["sh", "-c", "echo out; echo err >&2; sleep 0.2"], limit_s=30)
    assert (usage.output, usage.errors, usage.exit_code, usage.failure) == ("out\n", "err\n", 0, "")
    assert 0.2 <= usage.seconds < 2


def test_the_environment_is_the_callers() -> None:
    usage = run_measured(["/bin/sh", "-c", 'echo "$COLOUR"'], limit_s=30, environment={"COLOUR": "blue"})
    assert usage.output == "blue\n"


def test_a_command_that_fails_says_why() -> None:
    usage = run_measured(["sh", "-c", "echo working; echo 'fatal error: no paper' >&2; exit 3"], limit_s=30)
    assert usage.failure == "exit code 3: fatal error: no paper"


def test_a_command_that_is_not_there_is_a_failure_like_any_other() -> None:
    assert run_measured(["./none-such"], limit_s=30).failure == "exit code 127: ./none-such: No such file or directory"


def test_a_command_that_crashes_names_the_signal() -> None:
    assert run_measured(["sh", "-c", "kill -SEGV $$"], limit_s=30).failure == "ended by SIGSEGV: it said nothing"


def test_a_command_over_its_limit_is_ended_with_all_it_started(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    started = time.monotonic()
    usage = run_measured(["sh", "-c", f"(sleep 0.8; touch {trace}) & sleep 30"], limit_s=0.3)
    assert time.monotonic() - started < 5
    assert usage.timed_out
    assert usage.failure == "over 0 s"
    assert 0.3 <= usage.seconds < 1
    time.sleep(0.7)
    assert not trace.exists(), "a process that the command had started outlived it"


def test_what_a_command_leaves_running_is_ended(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    run_measured(["sh", "-c", f"(sleep 0.4; touch {trace}) &"], limit_s=30)
    time.sleep(0.6)
    assert not trace.exists()


@pytest.mark.parametrize("megabytes", [50, 150])
def test_peak_memory_is_that_of_the_command(megabytes: int) -> None:
    code = f"x = b'1' * {megabytes * MEGABYTE}; del x"
    peak = run_measured([sys.executable, "-IS", "-c", code], limit_s=30).peak_rss_bytes
    assert megabytes <= peak / MEGABYTE < megabytes + 40


def test_peak_memory_is_not_that_of_the_one_who_asks() -> None:
    own = b"1" * (200 * MEGABYTE)
    peak = run_measured(["true"], limit_s=30).peak_rss_bytes
    assert len(own) > 100 * MEGABYTE > peak


def test_an_interrupt_ends_the_command(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    command = ["sh", "-c", f"sleep 0.6; touch {trace}"]
    with subprocess.Popen([sys.executable, "-IS", LAUNCHER, "30", tmp_path / "report", *command]) as launcher:
        time.sleep(0.25)
        launcher.send_signal(signal.SIGINT)
        launcher.wait(5)
    time.sleep(0.6)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nTypeError: none\n  failed in 2 s\n", "TypeError: none"),
        ("first\nlast\n\n", "last"),
        ("", "it said nothing"),
        ("x" * 500, "x" * 119 + "…"),
    ],
    ids=["the error", "the last", "nothing", "cut"],
)
def test_the_telling_line(text: str, line: str) -> None:
    assert telling_line(text) == line


def test_paths_are_filled_in_and_other_braces_stay() -> None:
    assert fill_in(["{a}/x", "{b}", '{"a": 1}'], a=Path("/p"), b="q") == ["/p/x", "q", '{"a": 1}']
