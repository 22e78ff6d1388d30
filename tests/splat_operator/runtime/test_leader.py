"""One process acts: the Lease is taken, kept, lost and released, on clocks that jump and an API server that fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes.aio.client.exceptions import ApiException

from leases import Candidate, Clock, failing, hanging, nothing_stored, quiet
from splat_operator.runtime import leader
from splat_operator.runtime.leader import LEASE_S, RENEW_S, RETRY_S

pytestmark = pytest.mark.asyncio


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(clock: Clock) -> Callable[..., Candidate]:
    stored = nothing_stored()
    return lambda **settings: Candidate(stored, clock, clock.sleep, **settings)


Make = Callable[..., Candidate]


async def test_first_one_makes_the_lease_and_leads(clock: Clock, make: Make) -> None:
    first = make(identity="pod-a")
    assert not first.may_write
    await clock.advance(0)
    assert (first.events, first.may_write) == (["leading"], True)
    spec = first.leases.spec
    assert spec.holder_identity.startswith("pod-a_")
    assert (spec.lease_duration_seconds, spec.acquire_time) == (LEASE_S, spec.renew_time)


async def test_leader_renews_and_keeps_the_time_of_acquisition(clock: Clock, make: Make) -> None:
    first = make()
    await clock.advance(0)
    before = first.leases.spec
    await clock.advance(10 * LEASE_S)
    assert first.events == ["leading"]
    assert first.may_write
    assert first.leases.requests == ["get", "create", *["get", "update"] * int(10 * LEASE_S / RETRY_S)]
    assert first.leases.spec.acquire_time == before.acquire_time
    assert first.leases.spec.renew_time > before.renew_time


async def test_standby_waits_while_the_leader_renews(clock: Clock, make: Make) -> None:
    first = make()
    await clock.advance(0)
    second = make()
    await clock.advance(10 * LEASE_S)
    assert (second.events, second.may_write) == ([], False)
    assert set(second.leases.requests) == {"get"}, "a standby writes nothing"
    assert first.may_write


async def test_standby_takes_over_from_one_that_died(clock: Clock, make: Make) -> None:
    first = make()
    await clock.advance(0)
    second = make()
    await clock.advance(LEASE_S)
    first.stop()  # Without releasing.
    await clock.advance(LEASE_S - RETRY_S)
    assert second.events == []
    await clock.advance(2 * RETRY_S)
    assert (second.events, second.may_write) == (["leading"], True)
    assert second.leases.spec.holder_identity == second.identity


async def test_latest_take_over_leaves_time_for_a_pass() -> None:
    assert LEASE_S + RETRY_S <= 12


async def test_what_a_leader_has_sent_has_time_to_arrive_before_a_standby_begins() -> None:
    assert LEASE_S - RENEW_S >= 3
    assert RENEW_S >= 3 * RETRY_S


async def test_process_that_was_stopped_finds_that_it_may_not_write(clock: Clock, make: Make) -> None:
    """No renewal has failed, and nothing of the process has run yet."""
    first = make()
    await clock.advance(0)
    clock.now_s += RENEW_S
    assert not first.may_write


@pytest.mark.parametrize("was_taken", [True, False], ids=["taken meanwhile", "still there"])
async def test_process_that_was_stopped_ends_without_a_write(clock: Clock, make: Make, was_taken: bool) -> None:
    first = make()
    await clock.advance(0)
    before = len(first.leases.requests)
    if was_taken:
        first.leases.hold("other")
    clock.now_s += 3 * LEASE_S
    await clock.advance(0)
    assert first.events == ["leading", "lost"]
    assert not {"create", "update"} & set(first.leases.requests[before:])
    assert first.task.done()


async def test_process_stopped_while_it_renews_counts_from_the_sending(clock: Clock, make: Make) -> None:
    """The answer was there already when it went on."""
    first = make()
    await clock.advance(0)

    async def stop(verb: str) -> None:
        clock.now_s += 2 * LEASE_S if verb == "update" else 0

    first.leases.after = stop
    await clock.advance(RETRY_S)
    assert not first.may_write
    assert first.events == ["leading", "lost"]


async def test_process_stopped_between_look_and_renewal_sends_none(clock: Clock, make: Make) -> None:
    first = make()
    await clock.advance(0)

    async def stop(verb: str) -> None:
        clock.now_s += 2 * LEASE_S if verb == "get" else 0

    first.leases.after = stop
    await clock.advance(RETRY_S)
    assert first.leases.requests == ["get", "create", "get"]
    assert first.events == ["leading", "lost"]


TROUBLES: dict[str, Callable[[str], Awaitable[None]]] = {
    "refused": failing(ApiException(status=403, reason="Forbidden")),
    "conflict": failing(ApiException(status=409, reason="Conflict"), "create", "update"),
    "server error": failing(ApiException(status=500, reason="Internal"), "create", "update"),
    "page of a proxy": failing(ApiException(status=502, reason="<html>")),
    "no connection": failing(ConnectionRefusedError("refused")),
    "broken answer": failing(ValueError("not JSON")),
    "hangs": hanging,
}


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    # These requests end at once or never.
    monkeypatch.setattr(leader, "REQUEST_S", 0.0)


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
@pytest.mark.usefixtures("hurried")
async def test_candidate_survives_any_error(clock: Clock, make: Make, trouble: Any) -> None:
    first = make()
    first.leases.trouble = trouble
    await clock.advance(3 * LEASE_S)
    assert first.events == []
    assert not first.task.done()
    first.leases.trouble = quiet
    await clock.advance(RETRY_S)
    assert (first.events, first.may_write) == (["leading"], True)


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
@pytest.mark.usefixtures("hurried")
async def test_leader_survives_a_short_trouble(clock: Clock, make: Make, trouble: Any) -> None:
    first = make()
    await clock.advance(0)
    first.leases.trouble = trouble
    await clock.advance(RENEW_S - RETRY_S)
    assert first.may_write
    first.leases.trouble = quiet
    await clock.advance(10 * LEASE_S)
    assert (first.events, first.may_write) == (["leading"], True)


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
@pytest.mark.usefixtures("hurried")
async def test_leader_gives_up_in_a_long_trouble(clock: Clock, make: Make, trouble: Any) -> None:
    first = make()
    await clock.advance(0)
    first.leases.trouble = trouble
    await clock.advance(RENEW_S - 0.1)
    assert (first.events, first.may_write) == (["leading"], True)
    await clock.advance(0.1)
    assert (first.events, first.may_write) == (["leading", "lost"], False)
    first.leases.trouble = quiet
    requests = list(first.leases.requests)
    await clock.advance(10 * LEASE_S)
    assert first.leases.requests == requests, "it has ended"


async def test_request_that_outlasts_the_deadline_is_not_waited_for(
    clock: Clock, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here there are 0.06 s left for it, and 2 s for any request."""
    monkeypatch.setattr(leader, "RENEW_S", 3 * RETRY_S + 0.0625)
    first = make()
    await clock.advance(0)
    first.leases.trouble = failing(ConnectionError())
    await clock.advance(3 * RETRY_S - 0.125)
    first.leases.trouble = hanging
    await clock.advance(0.125)
    await asyncio.sleep(0.1)
    await clock.advance(0.0625)
    assert first.events == ["leading", "lost"]


async def test_another_holder_ends_it_at_once(clock: Clock, make: Make) -> None:
    first = make()
    await clock.advance(0)
    first.leases.hold("other")
    await clock.advance(RETRY_S)
    assert (first.events, first.may_write) == (["leading", "lost"], False)
    assert first.leases.spec.holder_identity == "other"


async def test_lease_that_is_deleted_is_lost(clock: Clock, make: Make) -> None:
    """A standby may have made another meanwhile, and that one have been deleted too."""
    first = make()
    await clock.advance(0)
    first.leases.delete()
    await clock.advance(RETRY_S)
    assert (first.events, first.may_write) == (["leading", "lost"], False)
    assert first.leases.stored["lease"] is None


async def test_standby_lets_the_holder_of_a_deleted_lease_notice(clock: Clock, make: Make) -> None:
    second = make()
    second.leases.hold("other")
    await clock.advance(RETRY_S)
    second.leases.delete()
    await clock.advance(LEASE_S - 2 * RETRY_S)
    assert second.events == []
    await clock.advance(2 * RETRY_S)
    assert second.events == ["leading"]


async def test_standby_waits_as_long_as_the_holder_says(clock: Clock, make: Make) -> None:
    """Another version may have another duration."""
    second = make()
    second.leases.hold("other", lease_duration_seconds=3 * LEASE_S)
    await clock.advance(3 * LEASE_S - 0.1)
    assert second.events == []
    await clock.advance(RETRY_S)
    assert second.events == ["leading"]


async def test_two_of_one_identity_are_two(clock: Clock, make: Make) -> None:
    first, second = make(identity="same"), make(identity="same")
    await clock.advance(10 * LEASE_S)
    assert sorted([first.events, second.events]) == [[], ["leading"]]


async def test_release_lets_a_standby_begin_at_once(clock: Clock, make: Make) -> None:
    first = make()
    await clock.advance(0)
    second = make()
    await clock.advance(LEASE_S)
    first.stop()
    await first.leader.release()
    assert not first.may_write
    assert not first.leases.spec.holder_identity
    await clock.advance(RETRY_S)
    assert second.events == ["leading"]
    assert first.events == ["leading"]


async def test_renewal_under_way_does_not_undo_a_release(clock: Clock, make: Make) -> None:
    first = make()
    await clock.advance(0)

    async def release(verb: str) -> None:
        if verb == "update":
            first.leases.after = quiet
            await first.leader.release()

    first.leases.after = release
    await clock.advance(RETRY_S)
    assert not first.may_write


async def test_release_leaves_anothers_lease_alone(clock: Clock, make: Make) -> None:
    first = make()
    await clock.advance(0)
    first.stop()
    first.leases.hold("other")
    await first.leader.release()
    assert first.leases.spec.holder_identity == "other"


async def test_release_of_what_is_not_held_asks_nothing(clock: Clock, make: Make) -> None:
    second = make()
    second.leases.hold("other")
    await clock.advance(0)
    second.stop()
    await second.leader.release()
    assert second.leases.requests == ["get"]


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
@pytest.mark.usefixtures("hurried")
async def test_release_never_raises(clock: Clock, make: Make, trouble: Any) -> None:
    first = make()
    await clock.advance(0)
    first.stop()
    first.leases.trouble = trouble
    await first.leader.release()
    assert not first.may_write


async def test_cancelled_one_has_lost_nothing(clock: Clock, make: Make) -> None:
    first = make()
    await clock.advance(0)
    first.stop()
    await clock.advance(0)
    assert first.task.cancelled()
    assert first.events == ["leading"]


async def test_whole_second_is_written_with_a_fraction(
    clock: Clock, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fake refuses it as a real API server does the client's form of one without."""
    whole = SimpleNamespace(now=lambda zone: datetime(2026, 1, 1, tzinfo=zone))
    monkeypatch.setattr(leader, "datetime", whole)
    first = make()
    await clock.advance(RETRY_S)
    assert first.leases.requests == ["get", "create", "get", "update"]
    assert first.may_write


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
async def test_times_are_utc_in_any_zone(clock: Clock, make: Make, monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        first = make()
        await clock.advance(0)
        for moment in (first.leases.spec.acquire_time, first.leases.spec.renew_time):
            assert abs(moment - datetime.now(UTC)) < timedelta(seconds=30)
        acquired = first.leases.spec.acquire_time
        await clock.advance(LEASE_S)
        assert first.leases.spec.acquire_time == acquired
    time.tzset()
