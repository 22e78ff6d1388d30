"""What a person types as IN and OUT: a path of this machine, an address, or `-` for a standard stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory, gettempdir

from sogs_worker.cli.streams import STANDARD_INPUT, STANDARD_OUTPUT, STREAM, Stream, receive
from sogs_worker.errors import StorageError, WorkerError
from sogs_worker.naming import META, name_target
from sogs_worker.source.roots import Root, local_root
from sogs_worker.storage.base import WritableStore
from sogs_worker.storage.connection import Connection, Side
from sogs_worker.storage.local.files import LocalFiles
from sogs_worker.storage.location import Location, parse_location
from sogs_worker.storage.opening import open_readable, open_store


@dataclass(frozen=True)
class Target:
    """Where outputs go.

    Attributes:
        store: what takes them.
        key_of: where in it the target of an output goes.
        base: what all keys begin with.
        takes_many: whether there is room for more than one.
        folder: of this machine, which is no source; None if it is elsewhere.
    """

    store: WritableStore
    key_of: Callable[[PurePosixPath], str]
    base: str
    takes_many: bool
    folder: Path | None

    def name_for_people(self, name: PurePosixPath) -> str:
        """Shorten the name of an output's target: as it lies in the folder, or without one."""
        key = self.key_of(name)
        if self.takes_many:
            return key.removeprefix(self.base)
        return "/".join(key.rsplit("/", 2)[-2:]) if key.endswith(f"/{META}") else key.rpartition("/")[2]


def is_address(text: str) -> bool:
    """Say whether an argument names something elsewhere."""
    return "://" in text


def open_input(text: str, environment: Mapping[str, str], *, scratch: Path, target: Target) -> Root:
    """Open what is to be read; see `open_readable`."""
    if text == STREAM:
        path = receive(make_scratch(scratch, "stdin"))
        return Root(Stream(path.parent, STANDARD_INPUT), Location("file", STANDARD_INPUT, path.name))
    if not is_address(text):
        return local_root(Path(text), without=target.folder)
    location = parse_location(text, "IN")
    return Root(open_readable(location, connect("source", environment), scratch=scratch), location)


def open_output(text: str, output_format: str, environment: Mapping[str, str], *, scratch: Path) -> Target:
    """Open what is to be written: below a folder, a path or address that ends in a slash, or exactly there.

    What is to go to standard output is there as a file: see `staged_output`.

    Raises:
        WorkerError: nothing can be written there.
    """
    if text == STREAM:
        folder = make_scratch(scratch, "stdout")
        return Target(Stream(folder, STANDARD_OUTPUT), lambda _name: STANDARD_OUTPUT, "", False, None)
    if is_address(text):
        location = parse_location(text, "OUT")
        store: WritableStore = open_store(location, connect("destination", environment), scratch=scratch)
        base, exact, below = location.key, location.key, None
        takes_many = location.is_prefix
    else:
        path = Path(text)
        takes_many = text.endswith("/")
        above = path if takes_many else path.parent.parent  # as far as messages show of the path
        store = LocalFiles(above)
        base, exact, below = "", path.relative_to(above).as_posix(), path if takes_many else None
    if takes_many:
        return Target(store, lambda name: f"{base}{name_target(name, output_format)}", base, True, below)
    return Target(store, lambda _name: exact, "", False, below)


def staged_output(scratch: Path) -> Path:
    """Return the file that is to go to standard output."""
    return scratch / "stdout" / STANDARD_OUTPUT


def make_scratch(scratch: Path, name: str) -> Path:
    """Make a folder in scratch."""
    folder = scratch / name
    folder.mkdir()
    return folder


def connect(side: Side, environment: Mapping[str, str]) -> Connection:
    """Leave all to the SDK but what only our own messages and probes need to know."""
    endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
    return Connection(side, endpoint=endpoint, region=environment.get("AWS_REGION"))


@contextmanager
def temporary_folder(output: str) -> Iterator[Path]:
    """Give a folder to work in, and say what is wrong with this machine's files.

    Args:
        output: where the outputs go. A container may have no other place to write to.
    """
    place = find_room(output)
    try:
        with TemporaryDirectory(prefix="sogs-worker-", dir=place, ignore_cleanup_errors=True) as folder:
            yield Path(folder)
    except (WorkerError, BrokenPipeError):  # the latter is of who reads the output
        raise
    except OSError as error:
        raise StorageError(
            f"{error.filename or place}: {error.strerror or error}; make room there or set TMPDIR"
        ) from error


def find_room(output: str) -> str:
    """Name a folder for temporary files: the machine's, or where it has none the nearest of a local output."""
    try:
        return gettempdir()
    except FileNotFoundError as error:
        if is_address(output) or output == STREAM:
            raise StorageError("there is no folder for temporary files; set TMPDIR to one") from error
        path = Path(output).absolute()
        return str(next(folder for folder in (path, *path.parents) if folder.is_dir()))
