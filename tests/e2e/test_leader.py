"""Two operators and one Lease: one acts, the other stands by and takes over; one that was stopped writes no more."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from kubernetes.aio import client, config

from api_proxy import ApiProxy, Write
from bucket import Bucket
from kubectl import Kubectl
from local_operator import LocalOperator
from splat_operator.runtime.leader import LEASE_S, RETRY_S, Leader

pytestmark = pytest.mark.e2e
Build = Callable[..., dict[str, Any]]

LEASE = "operators"
TAKE_OVER_S = 15
RELEASE_S = 5


class Pair:
    """Two operators that act for one controller name, each behind a proxy of its own."""

    def __init__(self, kubectl: Kubectl, folder: Path, context: contextlib.ExitStack) -> None:
        self._kubectl, self._context = kubectl, context
        self.controller = f"test.splats.dev/{kubectl.namespace}"
        self.left, self.left_proxy = self._start(folder / "left")
        # The second one begins as a standby.
        self.left.wait_for("its Lease", lambda: self.holder().startswith("left_"), TAKE_OVER_S)
        self.right, self.right_proxy = self._start(folder / "right")

    def _start(self, folder: Path) -> tuple[LocalOperator, ApiProxy]:
        folder.mkdir()
        proxy = self._context.enter_context(ApiProxy(self._kubectl.environment.get("KUBECONFIG")))
        operator = LocalOperator(
            self._kubectl,
            folder,
            kubeconfig=proxy.kubeconfig(folder),
            name=folder.name,
            controller=self.controller,
            SPLATS_LEASE=f"{self._kubectl.namespace}/{LEASE}",
            SPLATS_IDENTITY=folder.name,
        )
        operator.start()
        self._context.callback(_end, operator)
        return operator, proxy

    def holder(self) -> str:
        """Read who holds the Lease; empty where nobody does."""
        leases = self._kubectl.list("leases")
        return str(leases[0]["spec"].get("holderIdentity", "")) if leases else ""

    def job_comes(self, name: str, timeout_s: float) -> None:
        """Wait for the Job of a resource, made by either of them."""
        selector = f"splats.dev/compression={name}"
        self.right.wait_for(f"the Job of {name}", lambda: bool(self._kubectl.list("jobs", "-l", selector)), timeout_s)


def _end(operator: LocalOperator) -> None:
    if not operator.has_ended:
        operator.signal(signal.SIGCONT)
        operator.stop()


@pytest.fixture
def pair(kubectl: Kubectl, tmp_path: Path) -> Iterator[Pair]:
    with contextlib.ExitStack() as context:
        yield Pair(kubectl, tmp_path, context)


@pytest.fixture
def apply(kubectl: Kubectl, bucket: Bucket, compression: Build, pair: Pair) -> Callable[[str], None]:
    """Apply a resource whose Job runs no pod."""

    def apply(name: str) -> None:
        fixed = {"managedBy": pair.controller, "gpu": {"count": 0}, "suspend": True}
        kubectl.apply(compression(name, bucket.uri("garden.ply"), **fixed))

    return apply


def about_resources(writes: list[Write]) -> list[Write]:
    return [write for write in writes if "/leases" not in write.path]


def test_a_standby_writes_nothing_and_takes_over_from_a_stopped_leader(
    pair: Pair, apply: Callable[[str], None]
) -> None:
    apply("garden")
    pair.job_comes("garden", TAKE_OVER_S)
    assert about_resources(pair.left_proxy.writes)
    assert pair.right_proxy.writes == []
    assert pair.right.health()[0] == 200

    pair.left.signal(signal.SIGSTOP)
    stopped_at = time.monotonic()
    apply("meadow")
    pair.job_comes("meadow", TAKE_OVER_S - (time.monotonic() - stopped_at))
    assert pair.holder().startswith("right_")

    written = len(pair.left_proxy.writes)  # What was under way when it was stopped has arrived by now.
    pair.left.signal(signal.SIGCONT)
    pair.right.wait_for("the end of the old leader", lambda: pair.left.has_ended, TAKE_OVER_S)
    assert pair.left_proxy.writes[written:] == []
    assert pair.holder().startswith("right_")
    assert not pair.right.has_ended


def test_a_standby_follows_at_once_where_the_leader_is_ended(pair: Pair, apply: Callable[[str], None]) -> None:
    assert pair.left.stop() == 0
    apply("garden")
    pair.job_comes("garden", RELEASE_S)
    assert pair.holder().startswith("right_")


Start = Callable[[str], Leader]


@pytest_asyncio.fixture
async def start(environment: Mapping[str, str], kubectl: Kubectl) -> AsyncIterator[Start]:
    """Have candidates stand for the Lease on the real API server."""
    configuration, tasks = client.Configuration(), []
    await config.load_kube_config(config_file=environment.get("KUBECONFIG"), client_configuration=configuration)
    async with client.ApiClient(configuration) as api:

        def start(identity: str) -> Leader:
            leader = Leader(api, lease=(kubectl.namespace, LEASE), identity=identity)
            tasks.append(asyncio.create_task(leader.run(lambda: None, lambda: None)))
            return leader

        yield start
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def within(seconds: float, check: Callable[[], bool]) -> None:
    async with asyncio.timeout(seconds):
        while not check():
            await asyncio.sleep(0.05)


@pytest.mark.asyncio
async def test_the_api_server_takes_the_lease_in_any_time_zone(
    kubectl: Kubectl, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        first = start("first")
        await within(RELEASE_S, lambda: first.may_write)
        second = start("second")
        made = kubectl.get("lease", LEASE)["spec"]
        await within(LEASE_S, lambda: kubectl.get("lease", LEASE)["spec"]["renewTime"] > made["renewTime"])
        renewed = kubectl.get("lease", LEASE)["spec"]
        assert renewed["acquireTime"] == made["acquireTime"]
        assert renewed["leaseDurationSeconds"] == LEASE_S
        assert abs(datetime.fromisoformat(renewed["renewTime"]) - datetime.now(UTC)) < timedelta(seconds=LEASE_S)
        assert (first.may_write, second.may_write) == (True, False)
        await first.release()
        await within(RETRY_S + 1, lambda: second.may_write)
    time.tzset()
    assert kubectl.get("lease", LEASE)["spec"]["holderIdentity"].startswith("second_")
