"""Which images there are, what each is made of, and the key that says whether it must be built again."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from images import base
from images.buildah import Buildah

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Image:
    """One image of the project.

    Attributes:
        name: the command line's word for it.
        reference: the name that pods use.
        dockerfile: its file in the repository's root.
        inputs: what the Dockerfile copies, relative to the root.
        ensure_base: builds the image for its ``FROM``.
        build_args: values of ARGs besides BASE_IMAGE.
    """

    name: str
    reference: str
    dockerfile: str
    inputs: tuple[str, ...]
    ensure_base: Callable[[Buildah], str]
    build_args: tuple[tuple[str, str], ...] = ()


IMAGES = {
    image.name: image
    for image in (
        Image(
            name="operator",
            reference="localhost/splat-operator:dev",
            dockerfile="Dockerfile.operator",
            inputs=("operator", "requirements/build.txt", "requirements/operator.txt"),
            ensure_base=base.ensure_python,
        ),
        Image(
            name="worker",
            reference="localhost/splat-worker:dev",
            dockerfile="Dockerfile.worker",
            inputs=(
                "requirements/build.txt",
                "requirements/torch.txt",
                "requirements/sogs.txt",
                "requirements/sogs.sha256",
                "vendor",
                "requirements/worker.txt",
                "worker",
            ),
            ensure_base=base.ensure_torch,
            build_args=(("TORCH", ""), ("SOGS", "")),  # the engine sogs needs a GPU
        ),
    )
}


def build_key(image: Image, *, root: Path = ROOT) -> str:
    """Hash of all that decides the image's content: recipe, base, arguments, and the inputs' paths and bytes."""
    digest = hashlib.sha256(repr((image.reference, image.build_args, base.build_key())).encode())
    for path in _list_files(root, (".dockerignore", image.dockerfile, *image.inputs)):
        content = path.read_bytes()
        digest.update(f"\0{path.relative_to(root)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _list_files(root: Path, names: tuple[str, ...]) -> Iterator[Path]:
    """The files below the names in a stable order, without what .dockerignore keeps out."""
    for name in names:
        path = root / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            ignored = any(part in {".git", "__pycache__"} or part.endswith(".egg-info") for part in file.parts)
            if file.is_file() and not ignored:
                yield file
