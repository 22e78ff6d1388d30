"""Strategic merge patches of pod templates: what `kubectl patch --type=strategic` makes of one.

The rules are in the Kubernetes documentation, "Update API Objects in Place Using kubectl patch", and in its design
document "Strategic Merge Patch". Where kubectl would lose a part of the patch without a word, this refuses it; and
`$patch: delete` inside a new element of a list, which kubectl would leave there to be read as another element, does
nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from splat_operator.api.spec import Json
from splat_operator.manifests.merge_directives import (
    DELETE,
    ORDER,
    PATCH,
    MergeError,
    directive,
    fields,
    join,
    retained,
    split,
    targets,
    without,
)

__all__ = ["MERGE_KEYS", "MergeError", "merge"]

Identity = str | int

_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_OF_CONTAINERS = {"env": "name", "ports": "containerPort", "volumeDevices": "devicePath", "volumeMounts": "mountPath"}
_METADATA = ("metadata", "spec.volumes.ephemeral.volumeClaimTemplate.metadata")

MERGE_KEYS: Mapping[str, str | None] = {
    **{f"{metadata}.finalizers": None for metadata in _METADATA},
    **{f"{metadata}.ownerReferences": "uid" for metadata in _METADATA},
    **{f"spec.{kind}": "name" for kind in _CONTAINERS},
    **{f"spec.{kind}.{field}": key for kind in _CONTAINERS for field, key in _OF_CONTAINERS.items()},
    "spec.evictionResponders": "name",
    "spec.hostAliases": "ip",
    "spec.imagePullSecrets": "name",
    "spec.resourceClaims": "name",
    "spec.schedulingGates": "name",
    "spec.topologySpreadConstraints": "topologyKey",
    "spec.volumes": "name",
}
"""The lists of a pod template that merge, by path: the field that tells their elements apart, None of strings.

They are those whose x-kubernetes-patch-strategy in the API server's OpenAPI has `merge` (v1.37); others are replaced.
"""

_PARENTS = {path.rsplit(".", depth)[0] for path in MERGE_KEYS for depth in range(1, path.count(".") + 1)}
_MAPS = {"", *_PARENTS} - set(MERGE_KEYS)


def merge(original: Json, patch: Json) -> dict[str, Any]:
    """The pod template (metadata and spec) `original` with `patch`; neither is altered, and the result shares nothing.

    Fields that no pod has are merged like others; to refuse them is the API server's part. Raises MergeError.
    """
    if not isinstance(patch, Mapping):
        raise MergeError("A patch of a pod template must be a map.")
    return copy.deepcopy(_merge_map(original, patch, ""))


def _merge_map(original: Json, patch: Json, path: str) -> dict[str, Any]:
    if directive(patch, path) == "delete":
        return {}
    if directive(patch, path) == "replace":
        return _new_map({name: value for name, value in patch.items() if name != PATCH}, path)
    result = retained(original, patch, path)
    for name, unwanted in targets(patch, DELETE, path):
        if name in result:
            result[name] = without(result[name], unwanted, patch.get(name), join(path, name))
    for name, value in fields(patch, path).items():
        field = join(path, name)
        if value is None or (name not in result and _is_deletion(value, field)):
            result.pop(name, None)
        else:
            result[name] = _merge_value(result.get(name), value, field)
    for name, order in targets(patch, ORDER, path):
        known, new = original.get(name) or [], patch.get(name) or []
        result |= _reordered(result.get(name), known, new, order, join(path, name), name)
    return result


def _new_map(patch: Json, path: str) -> dict[str, Any]:
    """A map that the original lacks."""
    if directive(patch, path):
        # kubectl leaves out the whole map, contents and all.
        raise MergeError(f"{path} is not there yet, so that $patch has nothing to replace or delete.")
    return _merge_map({}, patch, path)


def _merge_value(old: Any, new: Any, path: str) -> Any:
    _check_shape(old, new, path)
    if isinstance(new, Mapping):
        return _new_map(new, path) if old is None else _merge_map(old, new, path)
    if not isinstance(new, list):
        return new
    return _merge_list(old, new, path) if path in MERGE_KEYS else _new_elements(new, path)


def _merge_list(old: Sequence[Any] | None, new: Sequence[Any], path: str) -> list[Any]:
    marked, plain = split(new, path)
    wanted = _identities(plain, path)
    unwanted = [_identity(element, path) for element in marked if directive(element, path) == "delete"]
    if old is None or len(unwanted) < len(marked):
        return _new_elements(plain, path)
    kept = [element for element in old if _identity(element, path) not in unwanted]
    return _ordered(_merge_elements(kept, plain, path), _identities(kept, path), wanted, path)


def _merge_elements(kept: Sequence[Any], plain: Sequence[Any], path: str) -> list[Any]:
    """Both, each element of the patch merged into the first of its identity, or else at the end."""
    if MERGE_KEYS[path] is None:
        return list(dict.fromkeys([*kept, *plain]))
    merged = list(kept)
    for element in plain:
        identity, identities = _identity(element, path), _identities(merged, path)
        if identity in identities:
            place = identities.index(identity)
            merged[place] = _merge_map(merged[place], element, path)
        else:
            merged.append(_new_map(element, path))
    return merged


def _reordered(old: Any, known: Any, new: Any, order: Sequence[Any], path: str, name: str) -> dict[str, list[Any]]:
    """What $setElementOrder makes of a list. It must have each element of the patch, in the patch's order."""
    if path not in MERGE_KEYS:
        raise MergeError(f"{path} is replaced as a whole, so that $setElementOrder has no meaning for it.")
    _check_shape(old, known, path)
    wanted = _identities(order, path)
    rest = iter(wanted)
    if not all(identity in rest for identity in _identities(split(new, path)[1], path)):
        raise MergeError(f"{path} has other elements, or in another order, than its $setElementOrder.")
    return {} if old is None else {name: _ordered(old, _identities(known, path), wanted, path)}


def _ordered(merged: Sequence[Any], known: list[Identity], wanted: list[Identity], path: str) -> list[Any]:
    """The elements, those in `wanted` in its order. Others come before one that they were before; new ones first."""
    chosen = [element for element in merged if _identity(element, path) in wanted]
    chosen.sort(key=lambda element: wanted.index(_identity(element, path)))
    others = [element for element in merged if _identity(element, path) not in wanted]
    result = []
    for element in chosen:
        identity = _identity(element, path)
        while others and identity in known and known.index(_identity(others[0], path)) < known.index(identity):
            result.append(others.pop(0))
        result.append(element)
    return [*result, *others]


def _new_elements(elements: Sequence[Any], path: str) -> list[Any]:
    """Elements that are taken as they are."""
    if any(isinstance(element, Mapping) and PATCH in element for element in elements):
        raise MergeError(f"{path} is replaced as a whole, so that its elements can have no $patch.")
    return [_new_map(element, path) if isinstance(element, Mapping) else element for element in elements]


def _is_deletion(value: Any, path: str) -> bool:
    return isinstance(value, Mapping) and directive(value, path) == "delete"


def _identities(elements: Sequence[Any], path: str) -> list[Identity]:
    return [_identity(element, path) for element in elements]


def _identity(element: Any, path: str) -> Identity:
    key = MERGE_KEYS[path]
    identity = element.get(key) if key and isinstance(element, Mapping) else None if key else element
    if isinstance(identity, bool) or not isinstance(identity, str | int):
        raise MergeError(f"{path} has an element without {key}." if key else f"{path} must be a list of strings.")
    return identity


def _check_shape(old: Any, new: Any, path: str) -> None:
    """Refuse another shape than the field's, or than what is there; kubectl would put it in its place."""
    wanted = "map" if path in _MAPS else "list" if path in MERGE_KEYS else _shape(old)
    if any(wanted and value is not None and _shape(value) != wanted for value in (old, new)):
        raise MergeError(f"{path} must be a {wanted}.")


def _shape(value: Any) -> str | None:
    if value is None:
        return None
    return "map" if isinstance(value, Mapping) else "list" if isinstance(value, list) else "scalar"
