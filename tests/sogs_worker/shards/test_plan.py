"""The plan of a divided run: even shares, nothing lost, and every refusal of what is no plan."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pytest

from sogs_worker.errors import UsageError
from sogs_worker.shards.plan import Plan, divide, parse_plan
from sogs_worker.source.objects import SourceObject
from sogs_worker.storage.location import Location

SOURCE = Location("s3", "scenes", "raw/")


def objects(*sizes: int) -> list[SourceObject]:
    return [scene(f"{n}.ply", str(n), size) for n, size in enumerate(sizes)]


def scene(path: str, output: str, size_bytes: int, *planes: str) -> SourceObject:
    return SourceObject(f"raw/{path}", size_bytes, None, PurePosixPath(output), planes, PurePosixPath(path))


def loads(plan: Plan) -> list[int]:
    return [sum(entry.size_bytes for entry in plan.of(index)) for index in range(plan.count)]


@pytest.mark.parametrize(
    ("sizes", "count", "shards"),
    [
        ((1, 2, 3, 4), 2, (0, 1, 1, 0)),
        ((10, 1, 1, 1), 2, (0, 1, 1, 1)),
        ((5, 5, 5), 3, (0, 1, 2)),
        ((7,), 3, (0,)),
        ((0, 0, 0), 3, (0, 1, 2)),
    ],
)
def test_the_largest_goes_to_who_has_least(sizes: tuple[int, ...], count: int, shards: tuple[int, ...]) -> None:
    assert divide(objects(*sizes), count).shards == shards


def test_the_order_of_a_listing_does_not_matter() -> None:
    listed = objects(3, 3, 3, 5, 1)
    expected = {entry.key: shard for entry, shard in zip(listed, divide(listed, 2).shards, strict=True)}
    for seed in range(5):
        plan = divide([listed[place] for place in np.random.default_rng(seed).permutation(len(listed))], 2)
        assert {entry.key: shard for entry, shard in zip(plan.objects, plan.shards, strict=True)} == expected


def test_no_shard_has_more_than_the_rest_by_an_object() -> None:
    """Whoever has most got its last object when it had least."""
    for seed in range(20):
        draw = np.random.default_rng(seed)
        sizes = draw.integers(1, 1000, size=draw.integers(1, 40)).tolist()
        plan = divide(objects(*sizes), int(draw.integers(2, 9)))
        assert sorted(entry.key for index in range(plan.count) for entry in plan.of(index)) == sorted(
            entry.key for entry in objects(*sizes)
        )
        fullest = max(range(plan.count), key=lambda index: loads(plan)[index])
        assert max(loads(plan)) - min(entry.size_bytes for entry in plan.of(fullest)) <= min(loads(plan))


def build_plan() -> Plan:
    unbundled = scene("b/meta.json", "b", 9, "raw/b/a.webp")
    return divide([*objects(1, 2), unbundled, scene("t.zip", "t/t", 5)], 2)


def test_is_read_as_it_was_written() -> None:
    plan = build_plan()
    read = parse_plan(json.loads(json.dumps(plan.to_document())), SOURCE, 2)
    assert (read, read.digest) == (plan, plan.digest)


def test_an_output_is_of_the_object_that_it_is_called_after() -> None:
    plan = build_plan()
    places = [plan.place(PurePosixPath(name)) for name in ("0", "b", "t/t", "t/t/first/scan")]
    assert places == [0, 2, 3, 3]
    with pytest.raises(KeyError):
        plan.place(PurePosixPath("t"))


def entry(**fields: Any) -> Callable[[dict[str, Any]], None]:
    """Change fields of the first object."""
    return lambda document: document["objects"][0].update(fields)


def whole(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document.update(fields)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (whole(version=2), "it has version 2 and 2 shards instead of 1 and 2"),
        (whole(shards=3), "it has version 1 and 3 shards instead of 1 and 2"),
        (whole(objects=[]), "it has no objects"),
        (whole(objects=[1]), "objects must be an object, got 1"),
        (whole(more=1), "more is not known"),
        (entry(key="other/0.ply"), "its object 'other/0.ply' does not lie in the source"),
        (entry(key="raw/1.ply"), "two of its objects have one key"),
        (entry(output="b"), "two of its objects have one output"),
        (entry(output="../b"), "its output '../b' is no relative path"),
        (entry(output="/b"), "its output '/b' is no relative path"),
        (entry(output=""), "its output '' is no relative path"),
        (entry(planes=["other/a.webp"]), "the planes of its object 'raw/0.ply' do not lie in the source"),
        (entry(planes=[1]), "the planes of its object 'raw/0.ply' do not lie in the source"),
        (entry(shard=2), "has 1 bytes and is of shard 2 of 2"),
        (entry(shard=-1), "has 1 bytes and is of shard -1 of 2"),
        (entry(sizeBytes=-1), "has -1 bytes"),
        (entry(sizeBytes="1"), "objects.sizeBytes must be of type int"),
        (entry(etag="1"), "objects.etag is not known"),
    ],
)
def test_refuses(change: Callable[[dict[str, Any]], None], words: str) -> None:
    document = json.loads(json.dumps(build_plan().to_document()))
    change(document)
    with pytest.raises(UsageError, match=re.escape(words)):
        parse_plan(document, SOURCE, 2)


def test_a_plan_of_one_object_has_no_other() -> None:
    plan = divide([SourceObject("raw/a.ply", 1, None, PurePosixPath("a"))], 2)
    assert parse_plan(plan.to_document(), Location("s3", "scenes", "raw/a.ply"), 2) == plan
    with pytest.raises(UsageError, match="does not lie in the source"):
        parse_plan(plan.to_document(), Location("s3", "scenes", "raw/a"), 2)
