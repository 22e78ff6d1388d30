"""Does the administrator allow what the spec asks for?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from splat_operator.api.settings import Settings
from splat_operator.api.spec import S3, Spec
from splat_operator.decide.policies.restricted import violations

SDK_ENDPOINT = "aws"
"""Stands for an endpoint that is left to the SDK."""

NAMESPACES_OWN = "default"
"""The service account that every namespace has, without any right of its own."""

_DOTS = re.compile(r"(^|[/\\])\.{1,2}($|[/\\;?#])")
"""Parts of a path that lead elsewhere than it begins, for servers of any kind."""


@dataclass(frozen=True)
class Refusal:
    """Why nothing is run: a reason (a CamelCase word) and one sentence for the reader."""

    reason: str
    message: str


def forbidden_place(spec: Spec, settings: Settings) -> Refusal | None:
    """Whether source, destination and their endpoints are among those that the operator's settings allow."""
    return _first(_faults(settings.defaults.complete(spec), settings))


def forbidden_destination(spec: Spec, settings: Settings) -> Refusal | None:
    """The same for the destination alone."""
    return _first(_destination_faults(settings.defaults.complete(spec), settings))


def forbidden_pod(template: Mapping[str, Any], settings: Settings) -> Refusal | None:
    """Whether a pod template, as spec.podTemplate has made it, may be run.

    Its images and service account must be allowed, and it must keep to the profile `restricted` unless it need not.
    """
    if refusal := _first(_pod_faults(template["spec"], settings)):
        return refusal
    if settings.allow_unrestricted_pods:
        return None
    found = violations(template["spec"], annotations=template["metadata"].get("annotations") or {})
    if not found:
        return None
    words = f"Pod Security profile restricted: {'; '.join(found)}"
    return Refusal("PodNotRestricted", f"spec.podTemplate leaves the {words}; correct it or ask the administrator.")


def _first(faults: Iterator[str]) -> Refusal | None:
    words = next(faults, None)
    return Refusal("NotAllowed", f"{words}; correct it or ask the cluster's administrator.") if words else None


def _faults(spec: Spec, settings: Settings) -> Iterator[str]:
    source = spec.output.source
    yield from _place_faults("source", source.uri, settings.allowed_sources)
    yield from _endpoint_faults("source", source.uri, source.s3, settings.allowed_endpoints)
    yield from _destination_faults(spec, settings)


def _destination_faults(spec: Spec, settings: Settings) -> Iterator[str]:
    destination = spec.output.destination
    yield from _place_faults("destination", destination.uri, settings.allowed_destinations)
    yield from _endpoint_faults("destination", destination.uri, destination.s3, settings.allowed_endpoints)


def _pod_faults(spec: Mapping[str, Any], settings: Settings) -> Iterator[str]:
    images, accounts = settings.allowed_images, settings.allowed_service_accounts
    for image in _images(spec):
        if images and image != settings.worker_image and not any(_is_of(image, place) for place in images):
            yield f"image {image} is not allowed here: it must be of {' or '.join(images)}"
    for account in (spec.get("serviceAccountName"), spec.get("serviceAccount")):
        if accounts and account and account not in (NAMESPACES_OWN, *accounts):
            yield f"service account {account} is not allowed here: it must be {' or '.join(accounts)}"


def _images(spec: Mapping[str, Any]) -> list[str]:
    """Images that a pod's containers run or its volumes hold; what has the wrong type the API server refuses."""
    kinds = ("containers", "initContainers", "ephemeralContainers")
    containers = [item for kind in kinds for item in _objects(spec.get(kind))]
    volumes = _objects([volume.get("image") for volume in _objects(spec.get("volumes"))])
    named = [item.get("image") for item in containers] + [image.get("reference") for image in volumes]
    return [image for image in named if isinstance(image, str)]


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _is_of(image: str, place: str) -> bool:
    """Whether an image is of a repository, or of one below a slash."""
    rest = image.removeprefix(place) if image.startswith(place) else None
    return rest is not None and (place.endswith("/") or rest[:1] in ("", ":", "@"))


def _place_faults(side: str, uri: str, allowed: Sequence[str]) -> Iterator[str]:
    place = uri.partition("?")[0]
    if allowed and (_DOTS.search(unquote(unquote(uri))) or not place.startswith(tuple(allowed))):
        yield f"spec.{side}.uri {place} is not allowed here: it must be below {' or '.join(allowed)}"


def _endpoint_faults(side: str, uri: str, s3: S3, allowed: Sequence[str]) -> Iterator[str]:
    endpoint = (s3.endpoint or SDK_ENDPOINT).rstrip("/")
    if allowed and uri.startswith("s3://") and endpoint not in allowed:
        yield f"the {side}'s S3 endpoint {endpoint} is not allowed here: it must be {' or '.join(allowed)}"
