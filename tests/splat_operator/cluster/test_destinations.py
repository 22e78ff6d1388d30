"""Which resources write to the same object, as far as their specs tell."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressions import SPEC
from splat_operator.api.model import Key
from splat_operator.api.spec import Output, parse_spec
from splat_operator.cluster.destinations import Destinations, object_of

A, B, C = Key("default", "a"), Key("default", "b"), Key("far", "c")


def output(
    source: str = "s3://scenes/garden.ply",
    destination: str = "s3://out/",
    names: str = "{path}",
    include: tuple[str, ...] = (),
    **s3: Any,
) -> Output:
    return parse_spec(
        {
            "source": {"uri": source, "include": include},
            "destination": {"uri": destination, "names": names},
            "s3": {**SPEC["s3"], **s3},
        }
    ).output


SAME = {
    "one key": (output(destination="s3://out/a.sog"), output("s3://other/b.ply", "s3://out/a.sog")),
    "one name below a prefix": (output(), output("s3://elsewhere/garden.ply")),
    "one name with other endings": (output(), output("pvc://scans/garden.compressed.ply")),
    "a signed address": (
        output("https://a.example/garden.ply?token=1"),
        output("https://a.example/garden.ply?token=2"),
    ),
    "capital letters in the ending": (output("s3://scenes/garden.PLY"), output()),
    "a folder's name": (output("s3://scenes/garden/scan.ply", names="{folder}"), output()),
    "a claim's name": (output("pvc://garden/scan.ply", names="{top}"), output()),
    "an archive's name": (output("pvc://scans/garden.tar.gz", names="{folder}"), output()),
    "an unbundled scene's name": (output("s3://scenes/garden/meta.json", names="{stem}"), output()),
    "an unbundled scene's path": (output("s3://scenes/garden/meta.json"), output()),
    "a name of its own": (output("s3://scenes/house.ply", names="garden"), output()),
    "one selection": (
        output("s3://scenes/raw/", names="{top}", include=("a/**",)),
        output("s3://scenes/raw/", names="{top}", include=("a/**",)),
    ),
    "one source of many scenes": (output("s3://scenes/raw/"), output("s3://scenes/raw/")),
}
DIFFERENT = {
    "names": (output(), output("s3://scenes/house.ply")),
    "prefixes": (output(), output(destination="s3://out/more/")),
    "services": (output(), output(endpoint="http://other:8333")),
    "a name that is an ending": (output("s3://scenes/.ply"), output("s3://scenes/.spz")),
    "sources of many scenes": (output("s3://scenes/raw/"), output("s3://scenes/more/")),
    "names by patterns": (output(names="{stem}-v2"), output()),
    "names of many scenes": (output("s3://scenes/raw/", names="{top}"), output("s3://scenes/raw/")),
    "selections": (output("s3://scenes/raw/", include=("a/**",)), output("s3://scenes/raw/", include=("b/**",))),
    "a scene and many": (output("s3://scenes/garden"), output("s3://scenes/garden/")),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_the_same_object(one: Output, other: Output) -> None:
    assert object_of(one) == object_of(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT)
def test_different_objects(one: Output, other: Output) -> None:
    assert object_of(one) != object_of(other)


def test_company_is_told_when_it_comes_and_when_it_goes() -> None:
    known = Destinations()
    assert known.note(A, output()) == set()
    assert known.note(A, output()) == set()
    assert known.note(B, output()) == {A}
    assert known.note(C, output()) == {A, B}
    assert (known.others(A), known.others(C)) == ((B, C), (A, B))
    assert known.note(B, output("s3://scenes/house.ply")) == {A, C}
    assert known.note(C, None) == {A}
    assert (known.others(A), known.others(B), known.others(C)) == ((), (), ())
    assert known.note(C, None) == set()


PLACES = [output(), output("s3://scenes/house.ply"), output(destination="s3://out/a.sog"), None]


@settings(max_examples=100)
@given(st.lists(st.tuples(st.sampled_from([A, B, C]), st.integers(0, 3))))
def test_whatever_happened_the_company_is_who_writes_there_now(steps: list[tuple[Key, int]]) -> None:
    known, now = Destinations(), dict.fromkeys((A, B, C))
    for key, place in steps:
        before = {each: known.others(each) for each in now}
        woken = known.note(key, PLACES[place])
        now[key] = PLACES[place] and object_of(PLACES[place])  # type: ignore[arg-type]
        for each, there in now.items():
            company = tuple(sorted(other for other, place in now.items() if other != each and there and place == there))
            assert known.others(each) == company
            assert each == key or (each in woken) == (company != before[each])
