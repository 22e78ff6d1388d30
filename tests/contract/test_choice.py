"""What is taken of a source and what outputs are called: one rule in resource, operator and worker."""

from __future__ import annotations

import re

import pytest

from crd.schema import root_schema, rules, walk
from sogs_worker.errors import UsageError
from sogs_worker.naming import ARCHIVE_SUFFIXES, SCENE_SUFFIXES
from sogs_worker.source import names, selection
from sogs_worker.source.listing import require_many
from sogs_worker.source.names import Pattern
from sogs_worker.source.objects import name_object
from sogs_worker.storage.location import parse_location
from splat_operator.api.spec import parse_spec
from splat_operator.cluster.destinations import object_of

ENDS = (*SCENE_SUFFIXES, *ARCHIVE_SUFFIXES, ".ZIP", "/meta.json", ".ply?x=/", ".zip?x=.ply", ".ply#.zip", ".ply?x=.tar")
"""Also queries, which are a part of the key but where the source is a web address."""

RULES = {
    "spec.source.include[]": (selection.GLOB_FORM, selection.GLOB_FAULT),
    "spec.source.exclude[]": (selection.GLOB_FORM, selection.GLOB_FAULT),
    "spec.destination.names": (names.NAMES_FORM, names.NAMES_FAULT),
}


@pytest.mark.parametrize("path", RULES)
def test_the_resource_has_the_workers_rules_for_globs_and_names(path: str) -> None:
    (rule,) = (rule["rule"] for where, rule in rules(root_schema()) if where == path)
    assert tuple(re.findall(r"matches\(\s*r'([^']*)'\)", rule)) == RULES[path]


def test_the_resource_has_the_workers_bounds_for_globs_and_names() -> None:
    schema = dict(walk(root_schema()))
    for name in ("include", "exclude"):
        globs = schema[f"spec.source.{name}"]
        bounds = (globs["maxItems"], globs["items"]["maxLength"])
        assert bounds == (selection.MAX_GLOBS, selection.MAX_GLOB_CHARACTERS)
    assert schema["spec.destination.names"]["maxLength"] == names.MAX_PATTERN_CHARACTERS


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("place", ["s3://bucket/a", "pvc://claim/a", "https://host/a"])
def test_the_resource_takes_globs_where_the_worker_does(place: str, end: str) -> None:
    uri = place + end
    (rule,) = (
        rule["rule"] for where, rule in rules(root_schema()) if where == "spec.source" and "include" in str(rule)
    )
    web, other = re.findall(r"matches\(r'([^']*)'\)", rule)
    location = parse_location(uri, "IN")
    try:
        require_many(location, uri, selection.Selection(("*",)))
    except UsageError:
        is_taken = False
    else:
        is_taken = True
    assert bool(re.search(web if uri.startswith("https") else other, uri)) == is_taken


SOURCES = ["garden/scan.ply", "garden/scan.compressed.ply", "garden.ply", "a/garden.tar.gz", "a/garden/meta.json"]


@pytest.mark.parametrize("pattern", ["{path}", "{stem}-{folder}", "{top}", "v2/{folder}"])
@pytest.mark.parametrize("source", SOURCES)
def test_both_call_a_source_of_one_object_the_same(source: str, pattern: str) -> None:
    """The operator tells by the name which resources write to one object."""
    uri, destination = f"s3://scenes/{source}", {"uri": "s3://scenes/compressed/", "names": pattern}
    name = name_object(parse_location(uri, "IN"), Pattern(pattern))
    output = parse_spec({"source": {"uri": uri}, "destination": destination}).output
    assert object_of(output) == f" s3://scenes/compressed/{name}"
