"""Outputs at their places as soon as they are made, each of them whole."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path, PurePosixPath

from sogs_worker.errors import UsageError
from sogs_worker.naming import MEDIA_TYPES, PICTURE_TYPE, beside, stem_of
from sogs_worker.publish.manifest import OutputFile
from sogs_worker.publish.provenance import Provenance
from sogs_worker.publish.staged import look_up
from sogs_worker.scenes.destination import Made, describe_output
from sogs_worker.scenes.make import Product
from sogs_worker.storage.base import Moved, WritableStore
from sogs_worker.storage.transfer.integrity import upload_verified


class ExistsError(UsageError):
    """The output is there already and is not to be replaced."""


class Delivery:
    """The destination of a command; see `Destination`."""

    knows_content = False

    def __init__(
        self,
        store: WritableStore,
        key_of: Callable[[PurePosixPath], str],
        *,
        scratch: Path,
        sources: Collection[str] = (),
        takes_many: bool = True,
        replaces: bool = True,
    ) -> None:
        """Begin.

        Args:
            store: where the outputs go.
            key_of: says under which key the target of an output goes; another for each name.
            scratch: a folder to work in.
            takes_many: whether there is room for more than one.
            sources: identities of what must not be replaced; see `identify`.
            replaces: whether outputs that are there are made again.
        """
        self._store = store
        self._key_of = key_of
        self._scratch = scratch
        self._sources = sources
        self._takes_many = takes_many
        self._replaces = replaces
        self._claimed = 0

    def claim(self, names: Sequence[PurePosixPath]) -> None:
        """Refuse what would replace a source, and what the store cannot hold or does not take."""
        self._claimed += len(names)
        keys = [self._key_of(name) for name in names]
        if self._claimed > 1 and not self._takes_many:
            uri = self._store.uri(keys[0])
            raise UsageError(f"{uri}: {self._claimed} scenes need a folder as output, a path that ends in /")
        for key in keys:
            if identify(self._store.uri(key)) in self._sources:
                raise UsageError(f"{self._store.uri(key)}: an input would be overwritten; name another output")
        self._store.check_keys(keys)
        if keys and self._claimed == len(keys):
            self._store.check_upload(keys[0])

    def begin(self, name: PurePosixPath) -> str:
        """Say where the output's target is to be."""
        return self._store.uri(self._key_of(name))

    def find(self, name: PurePosixPath, _provenance: Provenance) -> Made | None:
        """Refuse an output that is there and is not to be replaced.

        Raises:
            ExistsError: it is.
        """
        if not self._replaces and look_up(self._store, self._key_of(name)):
            raise ExistsError(f"{self.begin(name)}: is there already; add --overwrite, or --skip-existing to keep it")
        return None

    def deliver(self, name: PurePosixPath, product: Product, provenance: Provenance, moved: Moved) -> Made:
        """Send the files of an output, its target last, and its picture."""
        key = self._key_of(name)
        if product.planes and look_up(self._store, key):
            self._remove_earlier(key, {plane.name for plane in product.planes})
        files = [self._send(plane, beside(key, plane.name), moved) for plane in product.planes]
        files.append(self._send(product.target, key, moved))
        picture_uri = None
        if product.picture:
            picture_key = f"{stem_of(key)}.png"
            upload_verified(self._store, product.picture, picture_key, scratch=self._scratch, content_type=PICTURE_TYPE)
            picture_uri = self._store.uri(picture_key)
        return Made(describe_output(product, name, self._store.uri(key), files, picture_uri), name, provenance)

    def _remove_earlier(self, key: str, names: Collection[str]) -> None:
        """Remove the metadata of an earlier scene, by which nobody is to read these planes, and its own planes."""
        from sogs_worker.formats.sog.meta_fields import FILES

        self._store.delete(key)
        for name in {name for names in FILES.values() for name in names} - set(names):
            self._store.delete(beside(key, name))

    def _send(self, file: Path, key: str, moved: Moved) -> OutputFile:
        kind = MEDIA_TYPES[file.suffix]
        sha256 = upload_verified(self._store, file, key, scratch=self._scratch, content_type=kind, progress=moved)
        return OutputFile(file.name, sha256, file.stat().st_size)


def identify(uri: str) -> str:
    """Name an object so that two names of one are the same: an address, or the path to which links lead."""
    return uri if "://" in uri else str(Path(uri).resolve())
