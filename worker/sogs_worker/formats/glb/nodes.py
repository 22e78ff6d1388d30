"""The nodes of a glTF scene: which meshes it has, and where each of them stands."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sogs_worker.errors import BadInputError
from sogs_worker.formats.glb.document import Document, Section, parse_list, parse_numbers, parse_section
from sogs_worker.formats.turning import rotation_matrix

INSTANCING = "EXT_mesh_gpu_instancing"

MAX_NODES = 1 << 14
"""Of a file: more are one that is made to take long."""

Matrix = NDArray[np.float64]


def find_meshes(document: Document) -> Iterator[tuple[Section, Matrix]]:
    """Go through the meshes of the scene that is shown, each with the (4, 4) matrix of its node.

    Without any scene all nodes are gone through.

    Raises:
        BadInputError: a node is missing, has two parents, or is not placed by numbers.
    """
    if (count := len(parse_list(document.root, "nodes"))) > MAX_NODES:
        raise BadInputError(f"the GLB has {count:,} nodes, but {MAX_NODES:,} is the limit; export the splats alone")
    left = [(index, np.eye(4)) for index in reversed(_roots(document))]
    seen: set[int] = set()
    while left:
        index, above = left.pop()
        node = document.entry("nodes", index)
        if index in seen:
            raise BadInputError(f"nodes[{index}] of the GLB is reached twice; export the scene again")
        seen.add(index)
        matrix = above @ _matrix(node)
        if "mesh" in node:
            if INSTANCING in parse_section(node, "extensions"):
                raise BadInputError(f"nodes[{index}] needs {INSTANCING}, which is not supported; export it plainly")
            yield document.entry("meshes", node["mesh"]), matrix
        left += [(child, matrix) for child in reversed(parse_list(node, "children"))]


def _roots(document: Document) -> list[int]:
    if parse_list(document.root, "scenes"):
        return list(parse_list(document.entry("scenes", document.root.get("scene", 0)), "nodes"))
    nodes = range(len(parse_list(document.root, "nodes")))
    below = {str(child) for index in nodes for child in parse_list(document.entry("nodes", index), "children")}
    return [index for index in nodes if str(index) not in below]


def _matrix(node: Section) -> Matrix:
    """Return what a node does to what is below it, (4, 4)."""
    if "matrix" in node:
        return np.array(parse_numbers(node, "matrix", [0.0] * 16)).reshape(4, 4).T
    matrix = np.eye(4)
    x, y, z, w = parse_numbers(node, "rotation", [0.0, 0.0, 0.0, 1.0])
    matrix[:3, :3] = rotation_matrix(np.array([w, x, y, z])) * parse_numbers(node, "scale", [1.0] * 3)
    matrix[:3, 3] = parse_numbers(node, "translation", [0.0] * 3)
    return matrix
