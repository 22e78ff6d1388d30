"""What the administrator's lists let pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from compressions import SETTINGS, resource
from splat_operator.api.defaults import parse_defaults
from splat_operator.decide.policies.permission import forbidden_place, forbidden_pod

CASES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "no lists": ({}, {}, ""),
    "bucket": ({"allowed_sources": ("s3://scenes/",)}, {}, ""),
    "bucket of a like name": ({"allowed_sources": ("s3://scene/",)}, {}, "spec.source.uri s3://scenes/garden.ply"),
    "prefix": ({"allowed_destinations": ("s3://scenes/compressed/",)}, {}, ""),
    "above the prefix": (
        {"allowed_destinations": ("s3://scenes/compressed/team/",)},
        {},
        "spec.destination.uri s3://scenes/compressed/ is not allowed here: it must be below s3://scenes/compressed/team/",
    ),
    "one of several": ({"allowed_sources": ("pvc://", "s3://scenes/")}, {}, ""),
    "web server": (
        {"allowed_sources": ("https://example.com/",)},
        {"source": {"uri": "https://example.com.evil.example/garden.ply"}},
        "spec.source.uri",
    ),
    "user in front of the host": (
        {"allowed_sources": ("https://example.com/",)},
        {"source": {"uri": "https://example.com@evil.example/garden.ply"}},
        "spec.source.uri",
    ),
    "dots": (
        {"allowed_sources": ("s3://scenes/",)},
        {"source": {"uri": "s3://scenes/../secret/garden.ply"}},
        "spec.source.uri",
    ),
    "dots in disguise": (
        {"allowed_sources": ("https://example.com/open/",)},
        {"source": {"uri": "https://example.com/open/%2E./secret/garden.ply"}},
        "spec.source.uri",
    ),
    "encoded separator": (
        {"allowed_sources": ("https://example.com/open/",)},
        {"source": {"uri": "https://example.com/open/..%2fsecret/garden.ply"}},
        "spec.source.uri",
    ),
    "encoded twice": (
        {"allowed_sources": ("https://example.com/open/",)},
        {"source": {"uri": "https://example.com/open/%252e%252e/secret/garden.ply"}},
        "spec.source.uri",
    ),
    "parameter behind dots": (
        {"allowed_sources": ("https://example.com/open/",)},
        {"source": {"uri": "https://example.com/open/..;/secret/garden.ply"}},
        "spec.source.uri",
    ),
    "two dots in a name": (
        {"allowed_sources": ("s3://scenes/",)},
        {"source": {"uri": "s3://scenes/gar..den/a.ply"}},
        "",
    ),
    "query is not shown": (
        {"allowed_sources": ("s3://scenes/",)},
        {"source": {"uri": "https://example.com/garden.ply?token=secret"}},
        "https://example.com/garden.ply is",
    ),
    "endpoint": ({"allowed_endpoints": ("http://s3.example:8333",)}, {}, ""),
    "endpoint with a slash": (
        {"allowed_endpoints": ("http://s3.example:8333",)},
        {"s3": {"endpoint": "http://s3.example:8333/"}},
        "",
    ),
    "other endpoint": ({"allowed_endpoints": ("aws",)}, {}, "the source's S3 endpoint http://s3.example:8333"),
    "endpoint of one side": (
        {"allowed_endpoints": ("http://s3.example:8333",)},
        {"destination": {"uri": "s3://a-b/c/", "s3": {"endpoint": "http://metadata.internal"}}},
        "the destination's S3 endpoint http://metadata.internal",
    ),
    "no endpoint": ({"allowed_endpoints": ("http://s3.example:8333",)}, {"s3": None}, "S3 endpoint aws"),
    "no endpoint, allowed": ({"allowed_endpoints": ("aws",)}, {"s3": None}, ""),
    "claims have no endpoint": (
        {"allowed_endpoints": ("aws",)},
        {"source": {"uri": "pvc://a/b.ply"}, "destination": {"uri": "pvc://a/c/"}},
        "",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_place(case: str) -> None:
    limits, spec, words = CASES[case]
    refusal = forbidden_place(resource(**spec).spec, replace(SETTINGS, **limits))
    assert bool(refusal) == bool(words)
    if refusal:
        assert refusal.reason == "NotAllowed"
        assert words in refusal.message
        assert "token" not in refusal.message


DEFAULT = parse_defaults({"s3": {"endpoint": "http://s3.example:8333"}})


@pytest.mark.parametrize(("endpoint", "is_allowed"), [("http://s3.example:8333", True), ("aws", False)])
def test_a_default_endpoint_is_judged_like_one_of_the_spec(endpoint: str, is_allowed: bool) -> None:
    settings = replace(SETTINGS, defaults=DEFAULT, allowed_endpoints=(endpoint,))
    assert (forbidden_place(resource(s3=None).spec, settings) is None) == is_allowed


IMAGES = ("registry.example/team/", "registry.example/tool")
PODS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "any": ({}, {"containers": [{"image": "evil"}], "serviceAccountName": "root"}, ""),
    "the worker's own": ({"allowed_images": IMAGES}, {"containers": [{"image": SETTINGS.worker_image}]}, ""),
    "below": ({"allowed_images": IMAGES}, {"containers": [{"image": "registry.example/team/a/b:1"}]}, ""),
    "repository": ({"allowed_images": IMAGES}, {"containers": [{"image": "registry.example/tool"}]}, ""),
    "tag": ({"allowed_images": IMAGES}, {"containers": [{"image": "registry.example/tool:1"}]}, ""),
    "digest": ({"allowed_images": IMAGES}, {"containers": [{"image": "registry.example/tool@sha256:ab"}]}, ""),
    "repository of a like name": (
        {"allowed_images": IMAGES},
        {"containers": [{"image": "registry.example/toolbox:1"}]},
        "image registry.example/toolbox:1 is not allowed here: it must be of registry.example/team/ or",
    ),
    "repository below one": (
        {"allowed_images": IMAGES},
        {"containers": [{"image": "registry.example/tool/x"}]},
        "image",
    ),
    "short name": ({"allowed_images": IMAGES}, {"containers": [{"image": "busybox"}]}, "image busybox"),
    "another tag of the worker's": ({"allowed_images": IMAGES}, {"containers": [{"image": "splat-worker:2"}]}, "image"),
    "init container": ({"allowed_images": IMAGES}, {"initContainers": [{"image": "evil"}]}, "image evil"),
    "ephemeral container": ({"allowed_images": IMAGES}, {"ephemeralContainers": [{"image": "evil"}]}, "image evil"),
    "volume": ({"allowed_images": IMAGES}, {"volumes": [{"image": {"reference": "evil"}}]}, "image evil"),
    "what is no image": (
        {"allowed_images": IMAGES},
        {"containers": {"image": "evil"}, "volumes": [{"image": 1}, 2]},
        "",
    ),
    "no account": ({"allowed_service_accounts": ("reader",)}, {}, ""),
    "default account": ({"allowed_service_accounts": ("reader",)}, {"serviceAccountName": "default"}, ""),
    "account": ({"allowed_service_accounts": ("reader",)}, {"serviceAccountName": "reader"}, ""),
    "another account": (
        {"allowed_service_accounts": ("reader",)},
        {"serviceAccountName": "root"},
        "service account root is not allowed here: it must be reader; correct it or ask",
    ),
    "by its old name": ({"allowed_service_accounts": ("reader",)}, {"serviceAccount": "root"}, "service account root"),
}


@pytest.mark.parametrize("case", PODS)
def test_images_and_accounts(case: str) -> None:
    limits, spec, words = PODS[case]
    settings = replace(SETTINGS, allow_unrestricted_pods=True, **limits)
    refusal = forbidden_pod({"metadata": {}, "spec": spec}, settings)
    assert bool(refusal) == bool(words)
    if refusal:
        assert refusal.reason == "NotAllowed"
        assert words in refusal.message


def test_pod() -> None:
    template = {"metadata": {}, "spec": {"hostPID": True, "containers": []}}
    refusal = forbidden_pod(template, SETTINGS)
    assert refusal
    assert "hostPID" in refusal.message
    assert forbidden_pod(template, replace(SETTINGS, allow_unrestricted_pods=True)) is None
