"""What networks and busy web servers do: what is repeated, what is said, and when."""

from __future__ import annotations

import math
import socket
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from faults.connections import HASTY, PATIENT
from faults.proxy import Fault, Rule, answer, cut_answer, delay, lose_answer, stall
from faults.web import QUERY, Web
from sogs_worker.errors import (
    ConfigurationError,
    NotPermittedError,
    ServiceUnavailableError,
    SourceMissingError,
    StorageError,
    WorkerError,
)
from sogs_worker.storage.connection import Patience

CONTENT = np.random.default_rng(0).bytes(300_000)


@dataclass(frozen=True)
class Case:
    """A fault that happens to the first `times` requests, and how many there are in all.

    Attributes:
        error: what is raised in the end; None: nothing.
        words: of its sentence.
        requests: how many there are for content, the repeated ones included.
        patience: of the connection.
    """

    id: str
    fault: Fault
    times: float = math.inf
    error: type[WorkerError] | None = None
    words: str = ""
    requests: int = 1
    patience: Patience = PATIENT


OVERCOME = [
    *(Case(str(status), answer(status), times=2, requests=3) for status in (408, 425, 429, 500, 502, 503, 504, 520)),
    Case("slow first byte", delay(0.2), times=1, requests=1),
    Case("a lost answer", lose_answer, times=1, requests=2),
    Case("reset in the body", cut_answer(100_000, reset=True), times=2, requests=3),
    Case("truncated body", cut_answer(100_000, reset=False), times=2, requests=3),
    Case("a stalled socket", stall(100_000), times=1, requests=2, patience=replace(PATIENT, read_s=0.4)),
]

unavailable = partial(Case, patience=HASTY, error=ServiceUnavailableError)
broken = partial(Case, patience=HASTY, error=StorageError)

LASTING = [
    unavailable("503", answer(503), words="now (503); try again later"),
    unavailable("429", answer(429, Retry_After="0"), words="now (429); try again later"),
    unavailable("no answer", lose_answer, words="does not answer (ProtocolError); try again later"),
    unavailable("a stalled socket", stall(0), words="does not answer (ReadTimeoutError); try again later"),
    broken("reset in the body", cut_answer(0, reset=True), words="broke off ("),
    broken("truncated body", cut_answer(0, reset=False), words="broke off (ProtocolError); it is worth another try"),
]

refused = partial(Case, error=ConfigurationError)

PERMANENT = [
    Case("401", answer(401), error=NotPermittedError, words="(401); sign the address anew if it has expired"),
    Case("403", answer(403), error=NotPermittedError, words="make the file readable or correct spec.source.uri"),
    Case("404", answer(404), error=SourceMissingError, words="does not exist; upload it or correct spec.source.uri"),
    Case("410", answer(410), error=SourceMissingError, words="does not exist; upload it or correct spec.source.uri"),
    refused("400", answer(400), words="(400); check spec.source.uri"),
    refused("451", answer(451), words="(451); check spec.source.uri"),
    refused("501", answer(501), words="(501); check spec.source.uri"),
    refused("302 without an address", answer(302), words="(302); check spec.source.uri"),
]


def ids(case: Case) -> str:
    return case.id


@pytest.fixture(autouse=True)
def _scene(web: Web) -> None:
    web.files.content["/garden.ply"] = CONTENT
    web.files.query = QUERY


@pytest.fixture(params=[True, False], ids=["ranges", "no ranges"])
def has_ranges(request: pytest.FixtureRequest, web: Web) -> bool:
    web.files.has_ranges = bool(request.param)
    return web.files.has_ranges


def after_the_look(fault: Fault, times: float = math.inf) -> Rule:
    """Let the first request pass and have the others."""
    looks = iter([False])
    return Rule(fault, lambda _request: next(looks, True), times)


def check_failure(case: Case, web: Web, path: Path) -> None:
    """Download: its error is of the class, in one sentence, and names the address and the remedy."""
    with pytest.raises(WorkerError) as caught:
        web.store(patience=case.patience).download("garden.ply", path)
    sentence = str(caught.value)
    assert type(caught.value) is case.error
    assert case.words in sentence
    assert f"https://{web.host}/garden.ply" in sentence
    assert "\n" not in sentence
    assert not path.exists()


@pytest.mark.usefixtures("has_ranges")
class TestContent:
    @pytest.mark.parametrize("case", OVERCOME, ids=ids)
    def test_overcomes(self, web: Web, tmp_path: Path, case: Case) -> None:
        moved: list[int] = []
        web.front.rules.append(after_the_look(case.fault, case.times))
        web.store(patience=case.patience).download("garden.ply", tmp_path / "copy", moved.append)
        assert (tmp_path / "copy").read_bytes() == CONTENT
        assert sum(moved) == len(CONTENT), "no byte is counted twice"
        assert web.front.count() == 1 + case.requests

    @pytest.mark.parametrize("case", LASTING, ids=ids)
    def test_gives_up_in_time(self, web: Web, tmp_path: Path, case: Case) -> None:
        web.front.rules.append(after_the_look(case.fault))
        check_failure(case, web, tmp_path / "copy")
        assert web.front.count() > 2

    @pytest.mark.parametrize("case", PERMANENT, ids=ids)
    def test_does_not_repeat(self, web: Web, tmp_path: Path, case: Case) -> None:
        web.front.rules.append(after_the_look(case.fault))
        check_failure(case, web, tmp_path / "copy")
        assert web.front.count() == 2


class TestLook:
    @pytest.mark.parametrize("case", OVERCOME[:10], ids=ids)
    def test_overcomes(self, web: Web, case: Case) -> None:
        web.front.rules.append(Rule(case.fault, times=case.times))
        assert web.store().stat("garden.ply").size_bytes == len(CONTENT)
        assert web.front.count() == case.requests

    @pytest.mark.parametrize("case", [*LASTING, *PERMANENT], ids=ids)
    def test_fails(self, web: Web, tmp_path: Path, case: Case) -> None:
        web.front.rules.append(Rule(case.fault))
        check_failure(case, web, tmp_path / "copy")
        assert (web.front.count() > 1) == (case in LASTING)

    def test_gives_up_soon_where_nobody_listens(self, web: Web, tmp_path: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            host = f"127.0.0.1:{taken.getsockname()[1]}"
            with pytest.raises(ServiceUnavailableError) as caught:
                web.store(host).download("garden.ply", tmp_path / "copy")
        assert str(caught.value) == (
            f"cannot read https://{host}/garden.ply: https://{host} cannot be reached (Connection refused);"
            " check spec.source.uri and that the server runs"
        )

    def test_gives_up_soon_where_nobody_answers(self, web: Web) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            host = f"127.0.0.1:{silent.getsockname()[1]}"
            with pytest.raises(ServiceUnavailableError, match=rf"/garden\.ply: https://{host} does not answer \("):
                web.store(host, patience=replace(HASTY, connect_s=0.2)).stat("garden.ply")

    def test_names_a_host_without_an_address(self, web: Web) -> None:
        with pytest.raises(ServiceUnavailableError, match=r"name of https://web\.invalid cannot be resolved; correct"):
            web.store("web.invalid").stat("garden.ply")


def test_goes_on_where_a_range_broke_off(web: Web, tmp_path: Path) -> None:
    web.front.rules.append(after_the_look(cut_answer(100_000, reset=False), times=1))
    web.store().download("garden.ply", tmp_path / "copy")
    ranges = [request.headers["range"] for request in web.front.requests]
    assert ranges == ["bytes=0-0", "bytes=0-299999", "bytes=100000-299999"]


@pytest.mark.parametrize(("header", "least_s"), [("7", 7.0), ("3600", 9.0), ("soon", 0.0)])
def test_waits_as_long_as_the_server_asks(
    web: Web, monkeypatch: pytest.MonkeyPatch, header: str, least_s: float
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    web.front.rules.append(Rule(answer(429, Retry_After=header), times=1))
    web.store(patience=replace(PATIENT, longest_pause_s=9.0)).stat("garden.ply")
    (pause,) = pauses
    assert least_s <= pause <= least_s + PATIENT.first_pause_s
