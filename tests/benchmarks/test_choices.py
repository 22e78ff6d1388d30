"""A choice is another one for as long as its block lasts, and something comes of it."""

from __future__ import annotations

from contextlib import AbstractContextManager

import benchmarks.choices
import numpy as np
import pytest
from benchmarks.choices import build_choices, changed

from sogs_worker.engines.native import encode
from sogs_worker.engines.parameters import Parameters
from sogs_worker.splats import Splats
from splat_builders import build_splats, replace


def fail_within(change: AbstractContextManager[None]) -> None:
    with change:
        assert benchmarks.choices.LEVEL == "other"
        raise ZeroDivisionError


def test_a_change_is_undone_where_its_block_fails() -> None:
    before = benchmarks.choices.LEVEL
    with pytest.raises(ZeroDivisionError):
        fail_within(changed(benchmarks.choices, "LEVEL", "other"))
    assert benchmarks.choices.LEVEL == before == "balanced"


def test_what_a_module_does_not_have_is_not_changed() -> None:
    with pytest.raises(AttributeError, match="NO_SUCH_CHOICE"), changed(benchmarks.choices, "NO_SUCH_CHOICE", 1):
        pass
    assert not hasattr(benchmarks.choices, "NO_SUCH_CHOICE")


def encoded_bytes(splats: Splats) -> tuple[bytes, dict[str, bytes]]:
    encoded = encode(splats, parameters=Parameters(), device="cpu")
    return encoded.meta.to_json(), dict(encoded.images)


@pytest.fixture(scope="module")
def splats() -> Splats:
    visible = build_splats(600)
    return replace(visible, opacities=np.concatenate([visible.opacities[:-1], np.float32([-9])]))


@pytest.fixture(scope="module")
def usual(splats: Splats) -> tuple[bytes, dict[str, bytes]]:
    return encoded_bytes(splats)


@pytest.mark.parametrize("name", build_choices())
def test_a_choice_holds_within_its_block_only(name: str, splats: Splats, usual: tuple[bytes, dict[str, bytes]]) -> None:
    with build_choices()[name]:
        assert encoded_bytes(splats) != usual
    assert encoded_bytes(splats) == usual
