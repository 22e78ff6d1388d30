"""The budget of an operation: how long it tries, how it waits, what it gives up at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sogs_worker.storage.connection import Patience
from sogs_worker.storage.transfer.retry import Budget, Contact, Verdict

PATIENCE = Patience(contact_s=5, budget_s=60, first_pause_s=1, longest_pause_s=8)


class FakeClock:
    """Time that passes only where somebody waits."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float, /) -> None:
        self.pauses.append(seconds)
        self.now_s += seconds


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def longest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw the longest of all pauses."""
    monkeypatch.setattr("random.uniform", lambda _low, high: high)


def build_budget(clock: FakeClock, verdict: Verdict, contact: Contact | None = None) -> Budget:
    return Budget(PATIENCE, contact or Contact(made=True), lambda _error: verdict, clock)


def fail_times(times: float) -> Callable[[], str]:
    """Fail so often, then succeed."""
    left = iter(range(int(times)))

    def request() -> str:
        if next(left, None) is None:
            return "done"
        raise ValueError("busy")

    return request


@pytest.mark.usefixtures("longest")
def test_pauses_double_up_to_a_limit(clock: FakeClock) -> None:
    assert build_budget(clock, Verdict.TRANSIENT).run(fail_times(6)) == "done"
    assert clock.pauses == [1, 2, 4, 8, 8, 8]


def test_pauses_are_drawn_from_zero_on(clock: FakeClock) -> None:
    build_budget(clock, Verdict.TRANSIENT).run(fail_times(6))
    assert all(0 <= pause <= limit for pause, limit in zip(clock.pauses, [1, 2, 4, 8, 8, 8], strict=True))


@pytest.mark.usefixtures("longest")
def test_ends_before_a_pause_that_would_outlast_the_budget(clock: FakeClock) -> None:
    with pytest.raises(ValueError, match="busy"):
        build_budget(clock, Verdict.TRANSIENT).run(fail_times(1e6))
    assert 60 - 8 <= sum(clock.pauses) < 60


def test_does_not_wait_for_what_is_permanent(clock: FakeClock) -> None:
    with pytest.raises(ValueError, match="busy"):
        build_budget(clock, Verdict.PERMANENT).run(fail_times(1))
    assert clock.pauses == []


@pytest.mark.usefixtures("longest")
def test_a_server_never_reached_has_less_time(clock: FakeClock) -> None:
    with pytest.raises(ValueError, match="busy"):
        build_budget(clock, Verdict.UNREACHED, Contact()).run(fail_times(1e6))
    assert sum(clock.pauses) < 5


@pytest.mark.usefixtures("longest")
@pytest.mark.parametrize("reach", ["by an answer", "by a success"])
def test_a_server_once_reached_has_all_of_it(clock: FakeClock, reach: str) -> None:
    contact = Contact()
    verdict = Verdict.TRANSIENT if reach == "by an answer" else Verdict.UNREACHED
    build_budget(clock, verdict, contact).run(fail_times(reach == "by an answer"))
    clock.pauses.clear()
    with pytest.raises(ValueError, match="busy"):
        build_budget(clock, Verdict.UNREACHED, contact).run(fail_times(1e6))
    assert sum(clock.pauses) > 50


@pytest.mark.usefixtures("longest")
def test_each_success_renews_the_budget(clock: FakeClock) -> None:
    budget = build_budget(clock, Verdict.TRANSIENT)
    for _ in range(4):
        budget.run(fail_times(8))
    assert sum(clock.pauses) > 2 * PATIENCE.budget_s


@pytest.mark.usefixtures("longest")
def test_bytes_that_come_renew_the_budget(clock: FakeClock) -> None:
    budget = build_budget(clock, Verdict.TRANSIENT)
    failing = fail_times(1)

    def long_answer() -> str:
        clock.now_s += 10 * PATIENCE.budget_s
        budget.renew()
        return failing()

    assert budget.run(long_answer) == "done"


@pytest.mark.usefixtures("longest")
@pytest.mark.parametrize(("asked_s", "pauses"), [(0.5, [1, 2]), (3, [3, 3]), (1e6, [8, 8])])
def test_a_server_may_ask_for_longer_pauses(clock: FakeClock, asked_s: float, pauses: list[float]) -> None:
    contact = Contact(made=True)
    budget = Budget(PATIENCE, contact, lambda _error: Verdict.TRANSIENT, clock, asked_pause=lambda _error: asked_s)
    assert budget.run(fail_times(2)) == "done"
    assert clock.pauses == pauses
