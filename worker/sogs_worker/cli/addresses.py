"""The command line's addresses: copies here take the places of scenes and outputs that are elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory, gettempdir

from sogs_worker.errors import BadInputError, StorageError, UsageError, WorkerError
from sogs_worker.naming import BUNDLE_SUFFIX, MEDIA_TYPES, META
from sogs_worker.publish.publication import look_up
from sogs_worker.source.archives.entries import check_name
from sogs_worker.source.fetch import download, require_space
from sogs_worker.source.objects import SourceObject, find_objects
from sogs_worker.storage.base import ReadableStore, Store
from sogs_worker.storage.connection import Connection, Side
from sogs_worker.storage.location import parse_location
from sogs_worker.storage.opening import open_readable, open_store
from sogs_worker.storage.transfer.integrity import upload_verified

OPTIONS = {
    "spec.source.uri": "IN",
    "spec.destination.uri": "OUT",
    "name their Secret in s3.credentialsSecretRef": "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "put its CA into the Secret of s3.caSecretRef": "name it in AWS_CA_BUNDLE (s3) or SSL_CERT_FILE (https)",
    "s3.endpoint": "AWS_ENDPOINT_URL",
}
"""What sentences for users of the resource recommend, and what a user of the command does instead."""


@dataclass
class Copies:
    """What a command works with instead of addresses.

    Attributes:
        inputs: files and folders here.
        output: a folder here, ending in a slash, or a file.
        faults: of the inputs that could not be fetched.
        addresses: what paths here are copies of; those of folders end in a slash.
        send: brings an output, its planes and its target, to where it is to be.
    """

    output: str
    inputs: list[Path] = field(default_factory=list)
    faults: list[WorkerError] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)
    send: Callable[[Sequence[Path], Path], None] = lambda _planes, _target: None

    def check_targets(self, sources: Iterable[Path], targets: Iterable[Path]) -> None:
        """Refuse outputs that would replace a source; of paths here, `plan_outputs` does.

        Raises:
            UsageError: names the object.
        """
        clashes = {self.told(str(path)) for path in sources} & {self.told(str(path)) for path in targets}
        for address in sorted(clashes):
            raise UsageError(f"{address}: an input would be overwritten; name another output")

    def told(self, text: str) -> str:
        """Say of addresses what is said of their copies."""
        return _replace_all(text, self.addresses)


def _replace_all(text: str, meanings: Mapping[str, str]) -> str:
    for said, meant in meanings.items():
        text = text.replace(said, meant)
    return text


@contextmanager
def speaking_of_options() -> Iterator[None]:
    """Recommend in a store's sentences what a user of the command can do."""
    try:
        yield
    except WorkerError as error:
        raise type(error)(_replace_all(str(error), OPTIONS)) from error


def is_address(text: str) -> bool:
    """Say whether an argument names something elsewhere."""
    return "://" in text


@contextmanager
def working_copies(
    inputs: Sequence[str], output: str, environment: Mapping[str, str], tell: Callable[[str], None]
) -> Iterator[Copies]:
    """Fetch the inputs that are elsewhere, and prepare to send the outputs; the copies go when the block ends.

    Args:
        inputs: paths and addresses.
        output: a path or an address.
        environment: says how to reach a server, as the SDK reads it.
        tell: told of each object before it is fetched.

    Raises:
        WorkerError: the output cannot be where it is to be.
    """
    if not any(map(is_address, (*inputs, output))):
        yield Copies(output, [Path(text) for text in inputs])
        return
    with temporary_folder() as folder:
        desk, copies = Desk(folder, environment, tell), Copies(output)
        try:
            if is_address(output):
                desk.prepare_output(copies)
            for text in inputs:
                try:
                    copies.inputs.append(desk.fetch(text, copies.addresses) if is_address(text) else Path(text))
                except WorkerError as fault:
                    copies.faults.append(fault)
            yield copies
        except WorkerError as error:
            raise type(error)(copies.told(str(error))) from error


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give a folder for copies, and say what is wrong with this machine's files."""
    try:
        with TemporaryDirectory(prefix="sogs-worker-") as folder:
            yield Path(folder)
    except (WorkerError, BrokenPipeError):  # the latter is of who reads the output
        raise
    except OSError as error:
        place = error.filename or gettempdir()
        raise StorageError(f"{place}: {error.strerror or error}; make room there or set TMPDIR") from error


@dataclass(frozen=True)
class Desk:
    """Where copies lie, and how they are made."""

    folder: Path
    environment: Mapping[str, str]
    tell: Callable[[str], None]

    @speaking_of_options()
    def prepare_output(self, copies: Copies) -> None:
        """Give outputs a place here from which they are sent."""
        location = parse_location(copies.output, "OUT")
        store = open_store(location, self._connection("destination"), scratch=self.folder)
        store.check_upload(f"{location.key}x{BUNDLE_SUFFIX}" if location.is_prefix else location.key)
        here = self.folder / "output"
        copies.output = f"{here}/" if location.is_prefix else str(here / location.file)
        copies.addresses[copies.output] = location.uri
        folder = location.key if location.is_prefix else location.key.removesuffix(location.file.name)

        def key_of(file: Path) -> str:
            return folder + file.relative_to(here).as_posix()

        copies.send = lambda planes, target: self._send(store, planes, target, key_of)

    @speaking_of_options()
    def fetch(self, text: str, addresses: dict[str, str]) -> Path:
        """Fetch an input; note of what the copies are copies."""
        location = parse_location(text, "IN")
        store = open_readable(location, self._connection("source"), scratch=self.folder)
        objects = find_objects(store, location, self.folder)
        require_space(self.folder, sum(entry.size_bytes for entry in objects), location.uri)
        base = self.folder / f"input-{len(addresses)}"
        if location.is_prefix:
            base /= safe_path(PurePosixPath(location.key).name or location.root)  # which names a scene right in it
            addresses[f"{base}/"] = location.uri
            for entry in objects:
                self._fetch(store, entry, base / safe_path(entry.key.removeprefix(location.key)))
            return base
        (entry,) = objects
        # An unbundled scene is named after its folder.
        path = base / (entry.output / META if entry.is_unbundled else safe_path(str(location.file)))
        addresses[str(path)] = location.uri
        self._fetch(store, entry, path)
        return path

    def _fetch(self, store: ReadableStore, entry: SourceObject, path: Path) -> None:
        self.tell(f"fetching {store.uri(entry.key)}")
        path.parent.mkdir(parents=True, exist_ok=True)
        download(store, entry, path)

    @speaking_of_options()
    def _send(self, store: Store, planes: Sequence[Path], target: Path, key_of: Callable[[Path], str]) -> None:
        """Upload an output, its target last."""
        if planes and look_up(store, key_of(target)):
            store.delete(key_of(target))  # nobody is to read these planes by the metadata of an earlier scene
        for file in (*planes, target):
            upload_verified(store, file, key_of(file), scratch=self.folder, content_type=MEDIA_TYPES[file.suffix])
            file.unlink()

    def _connection(self, side: Side) -> Connection:
        """Leave all to the SDK but what only our own messages and probes need to know."""
        endpoint = self.environment.get("AWS_ENDPOINT_URL_S3") or self.environment.get("AWS_ENDPOINT_URL")
        return Connection(side, endpoint=endpoint, region=self.environment.get("AWS_REGION"))


def safe_path(key: str) -> PurePosixPath:
    """Make a path below a folder of a key, which may have any characters.

    Raises:
        BadInputError: it would lead out of the folder, or no file may be called so.
    """
    path = PurePosixPath(key)
    if path.is_absolute() or ".." in path.parts:
        raise BadInputError(f"the object {key!r} has a name that is no path below its prefix; fetch it by hand")
    check_name(path)
    return path
