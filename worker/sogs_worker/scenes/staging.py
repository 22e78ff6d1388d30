"""From a product in scratch to hidden objects of the destination, and what is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from sogs_worker.naming import MEDIA_TYPES, PICTURE_TYPE, beside
from sogs_worker.publish.manifest import Output, OutputFile
from sogs_worker.publish.provenance import Provenance
from sogs_worker.publish.publication import Publication, Staged
from sogs_worker.scenes.make import Product
from sogs_worker.storage.base import Moved
from sogs_worker.task.task import Task


def stage_product(
    product: Product,
    name: PurePosixPath,
    provenance: Provenance,
    *,
    task: Task,
    publication: Publication,
    progress: Moved,
) -> tuple[Output, list[Staged]]:
    """Upload the files of an output and its picture under hidden names.

    Args:
        product: the files.
        name: of the output.
        provenance: what it was made from, which is kept with its target.
        task: says where it goes.
        publication: of the run.
        progress: told of the bytes.

    Returns:
        What the manifest says of the output, and what is to be published.
    """
    store, key = publication.store, task.target_key(name)

    def stage(file: Path, metadata: Mapping[str, str] | None = None) -> Staged:
        place = key if file == product.target else beside(key, file.name)
        kind = MEDIA_TYPES[file.suffix]
        return publication.stage(file, place, content_type=kind, metadata=metadata, progress=progress)

    staged = [stage(plane) for plane in product.planes]
    planes = [describe(plane, each) for plane, each in zip(product.planes, staged, strict=True)]
    known = provenance.metadata(
        splats=product.splats, source_bytes=product.source_bytes, psnr=product.psnr, planes=planes
    )
    staged.append(stage(product.target, {**known, **task.mark}))
    target = describe(product.target, staged[-1])
    picture_key = task.preview_key(name)
    if product.picture:
        staged.append(publication.stage(product.picture, picture_key, content_type=PICTURE_TYPE))
    output = Output(
        name=str(name),
        uri=store.uri(key),
        sha256=target.sha256,
        bytes=target.bytes + sum(plane.bytes for plane in planes),
        source_bytes=product.source_bytes,
        splats=product.splats,
        psnr=product.psnr,
        preview_uri=store.uri(picture_key) if product.picture else None,
        files=(*planes, target) if planes else (),
    )
    return output, staged


def describe(file: Path, staged: Staged) -> OutputFile:
    """Describe a file that was uploaded."""
    return OutputFile(file.name, staged.sha256, file.stat().st_size)
