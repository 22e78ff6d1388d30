"""Redirects: where they are followed to, for how long, and what is said of them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from faults.proxy import Fault, Request, Rule, answer, everything
from faults.web import OTHER_SECRET, QUERY, SECRET, Web
from sogs_worker.errors import ConfigurationError, NotPermittedError, StorageError
from sogs_worker.storage.transfer.partial import RANGE_BYTES

CONTENT = np.random.default_rng(0).bytes(RANGE_BYTES + 1000)
"""Two ranges."""
SIGNED = f"/signed.ply?sig={OTHER_SECRET}"


@pytest.fixture(autouse=True)
def _scene(web: Web) -> None:
    web.files.content["/signed.ply"] = CONTENT


def redirect(location: str, status: int = 302) -> Fault:
    return answer(status, Location=location)


def of_path(path: str) -> object:
    """Match requests for a path, whatever their query is."""
    return lambda request: request.target.partition("?")[0] == path


def targets(requests: list[Request]) -> list[str]:
    return [request.target for request in requests]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_lead_to_another_host(web: Web, tmp_path: Path, status: int) -> None:
    web.front.rules.append(Rule(redirect(web.mirror.endpoint + SIGNED, status)))
    web.store().download("garden.ply", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == CONTENT
    assert targets(web.front.requests) == [f"/garden.ply?{QUERY}"], "the ranges are asked of the final address"
    assert targets(web.mirror.requests) == [SIGNED] * 3
    assert not any(SECRET in str(request) for request in web.mirror.requests)


def test_are_followed_anew_for_each_stream(web: Web, tmp_path: Path) -> None:
    web.files.has_ranges = False
    web.front.rules.append(Rule(redirect(web.mirror.endpoint + SIGNED)))
    web.store().download("garden.ply", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == CONTENT
    assert (web.front.count(), web.mirror.count()) == (2, 2)


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/signed.ply", "/signed.ply"),
        ("../signed.ply?a=b/../c#part", "/signed.ply?a=b/../c"),
        ("//{host}/signed.ply", "/signed.ply"),
        ("HTTPS://{host}/signed.ply", "/signed.ply"),
        ("https://name:word@{host}/signed.ply", "/signed.ply"),
        ("/signed.ply?f=%C3%BC&n=ü n", "/signed.ply?f=%C3%BC&n=%C3%BC%20n"),
    ],
)
def test_may_be_relative(web: Web, location: str, target: str) -> None:
    web.front.rules.append(Rule(redirect(location.format(host=web.host)), of_path("/scenes/garden.ply")))
    assert web.store().stat("scenes/garden.ply").size_bytes == len(CONTENT)
    assert targets(web.front.requests) == [f"/scenes/garden.ply?{QUERY}", target]


def test_may_be_five(web: Web) -> None:
    steps = ["/garden.ply", *(f"/{number}" for number in range(4)), "/signed.ply"]
    for step, following in pairwise(steps):
        web.front.rules.append(Rule(redirect(following), of_path(step)))
    assert web.store().stat("garden.ply").size_bytes == len(CONTENT)
    web.front.rules.append(Rule(redirect("/garden.ply"), of_path("/start.ply")))
    with pytest.raises(ConfigurationError) as caught:
        web.store().stat("start.ply")
    assert str(caught.value) == (
        f"https://{web.host} redirects https://{web.host}/start.ply more than 5 times;"
        " correct spec.source.uri or the server"
    )


@pytest.mark.parametrize(
    ("location", "words"),
    [
        (f"http://plain.example{SIGNED}", "to http://plain.example, which is not https;"),
        (f"http://name:{SECRET}@plain.example:80{SIGNED}", "to http://plain.example:80, which is not https;"),
        (f"ftp://plain.example{SIGNED}", "to ftp://plain.example, which is not https;"),
        (f"https://:443{SIGNED}", "to what is no address;"),
        (f"https://name:{SECRET}{SIGNED}", "to what is no address;"),
        (f"https://[1{SIGNED}", "to what is no address;"),
    ],
)
def test_are_refused(web: Web, location: str, words: str) -> None:
    web.front.rules.append(Rule(redirect(location)))
    with pytest.raises(ConfigurationError) as caught:
        web.store().stat("garden.ply")
    assert f"https://{web.host} redirects https://{web.host}/garden.ply {words} correct spec.source.uri" in str(
        caught.value
    )
    assert web.front.count() == 1


def test_name_the_server_that_refuses(web: Web) -> None:
    web.front.rules.append(Rule(redirect(web.mirror.endpoint + SIGNED)))
    web.mirror.rules.append(Rule(answer(403)))
    with pytest.raises(NotPermittedError) as caught:
        web.store().stat("garden.ply")
    assert str(caught.value).startswith(
        f"{web.mirror.endpoint} does not let this run read https://{web.host}/garden.ply (403)"
    )
    assert web.front.count() == 1, "what has just been signed has not expired"


class TestExpiry:
    @pytest.fixture(autouse=True)
    def _redirect(self, web: Web) -> None:
        web.front.rules.append(Rule(redirect(web.mirror.endpoint + "/signed.ply?sig=1"), times=1))
        web.front.rules.append(Rule(redirect(web.mirror.endpoint + "/signed.ply?sig=2")))

    def expire(self, web: Web, *signatures: int, status: int = 403) -> None:
        """Refuse addresses, but for the first look at them."""
        for signature in signatures:
            target = f"/signed.ply?sig={signature}"
            web.mirror.rules.append(
                Rule(
                    answer(status),
                    lambda request, target=target: request.target == target and "if-match" in request.headers,
                )
            )

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
    def test_is_overcome_by_following_anew(self, web: Web, tmp_path: Path, status: int) -> None:
        self.expire(web, 1, status=status)
        web.store().download("garden.ply", tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == CONTENT
        assert web.front.count() == 2, "once for both ranges"

    def test_is_overcome_once(self, web: Web, tmp_path: Path) -> None:
        # One range: of two, the second may begin with the address that the first has found, and asks anew by right.
        web.files.content["/signed.ply"] = CONTENT[:1000]
        self.expire(web, 1, 2)
        with pytest.raises(NotPermittedError, match=rf"{web.mirror.endpoint} does not let this run read"):
            web.store().download("garden.ply", tmp_path / "copy")
        assert web.front.count() == 2

    def test_does_not_mix_versions(self, web: Web, tmp_path: Path) -> None:
        self.expire(web, 1)
        web.files.content["/other.ply"] = CONTENT[::-1]
        web.front.rules[1] = Rule(redirect(web.mirror.endpoint + "/other.ply"))
        with pytest.raises(StorageError, match=r"/garden\.ply changed while it was read"):
            web.store().download("garden.ply", tmp_path / "copy")

    def test_is_no_excuse_for_an_address_that_has_not_moved(self, web: Web, tmp_path: Path) -> None:
        web.front.rules[:] = [Rule(answer(403), lambda request: "if-match" in request.headers)]
        with pytest.raises(NotPermittedError):
            web.store().download("signed.ply", tmp_path / "copy")
        assert web.front.count() <= 3


def test_to_a_host_that_is_away_name_it(web: Web) -> None:
    web.front.rules.append(Rule(redirect(f"https://web.invalid{SIGNED}"), everything))
    with pytest.raises(ConnectionError, match=rf"{web.host}/garden\.ply: the host name of https://web\.invalid cannot"):
        web.store().stat("garden.ply")
