"""What outputs are called: the one place where scenes and archives get their names, all different."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from sogs_worker.errors import UsageError
from sogs_worker.naming import META, is_archive, name_files, name_members, take_suffix
from sogs_worker.source.archives.entries import find_fault, shown

NAMES_FORM = (
    r"^([^/{}\x00-\x1f\x7f]|[{](path|stem|folder|top)[}])+(/([^/{}\x00-\x1f\x7f]|[{](path|stem|folder|top)[}])+)*$"
)
NAMES_FAULT = r"(^|/)[.]"
"""What a pattern must look like, and what must not be in it; the CRD has the same two, in RE2's syntax."""

MAX_PATTERN_CHARACTERS = 256
PATH = "{path}"


@dataclass(frozen=True)
class Pattern:
    """How outputs are named: text with placeholders, which stand for something of each scene.

    `{path}` is the path below the source without suffix, `{stem}` the last part of that, `{folder}` the folder that
    the scene lies in, `{top}` the first folder of its path. A scene right in the source lies in the folder, archive or
    bucket that the source is. An archive counts as a folder of its name without suffix, and an unbundled scene is
    called as its folder.
    """

    text: str = PATH

    @property
    def is_default(self) -> bool:
        """Whether outputs lie as their scenes do."""
        return self.text == PATH

    @property
    def inside(self) -> Pattern:
        """How an archive's scenes are named below its own name, which has the folders that are the same for all."""
        first, slash, rest = self.text.partition("/")
        return Pattern(rest).inside if slash and "{" not in first else self

    def expand(self, file: PurePosixPath, home: str, path: PurePosixPath) -> str:
        """Name an output.

        Args:
            file: path of the scene or archive, below the source.
            home: what the folder is called that `file` is relative to.
            path: what `{path}` stands for.
        """
        is_folder = is_archive(file.name)
        stem = file.parent.name if file.name == META else take_suffix(file.name)
        folders = (*file.parent.parts, stem) if is_folder else file.parent.parts or (home,)
        values = {"path": str(path), "stem": stem, "folder": folders[-1], "top": folders[0]}
        return re.sub("[{]([a-z]+)[}]", lambda found: values[found[1]], self.text)


PATHS = Pattern()


@dataclass(frozen=True)
class FoundFile:
    """What is to get a name.

    Attributes:
        file: path of the scene or archive below the source; names the output.
        home: what the folder is called that `file` is relative to.
        uri: for messages.
    """

    file: PurePosixPath
    home: str
    uri: str


def parse_pattern(text: str) -> Pattern:
    """Check a pattern.

    Raises:
        UsageError: it has other placeholders, or gives names that lead elsewhere or that nobody sees.
    """
    if not re.fullmatch(NAMES_FORM, text) or re.search(NAMES_FAULT, text) or len(text) > MAX_PATTERN_CHARACTERS:
        raise UsageError(
            f"spec.destination.names is {text!r}; it must be a path of text and {{path}}, {{stem}}, {{folder}} and"
            " {top}, without empty parts and parts that begin with a dot, for example {top}"
        )
    return Pattern(text)


def name_found_files(files: Sequence[FoundFile], pattern: Pattern) -> list[PurePosixPath]:
    """Name the outputs of scenes, and the folders of archives' outputs, without suffixes.

    Raises:
        UsageError: two would have one name, or one would lie among those of an archive; or a name leads elsewhere.
    """
    places = [each.file for each in files]
    paths = name_files(places) if PATH in pattern.text else places
    names = paths  # whatever keys a bucket has
    if not pattern.is_default:
        texts = [pattern.expand(each.file, each.home, path) for each, path in zip(files, paths, strict=True)]
        names = [_parse_name(text, each) for text, each in zip(texts, files, strict=True)]
    _require_different(names, files)
    return names


def name_scenes_of(root: PurePosixPath, files: Sequence[FoundFile], pattern: Pattern) -> list[PurePosixPath]:
    """Name the outputs of an archive's scenes, below the archive's own name; the only one gets that.

    Raises:
        UsageError: see `name_found_files`.
    """
    if pattern.is_default or len(files) == 1:
        return name_members(root, [each.file for each in files])
    located = [FoundFile(locate(each.file, each.home), each.home, each.uri) for each in files]
    return [root / name for name in name_found_files(located, pattern.inside)]


def locate(file: PurePosixPath, home: str) -> PurePosixPath:
    """Return the path that names a scene's output; a meta.json right in the source is named after its folder."""
    return PurePosixPath(home, META) if file == PurePosixPath(META) else file


def _parse_name(text: str, each: FoundFile) -> PurePosixPath:
    """Refuse a name that leads out of the destination, by what the parts of a key may be."""
    name = PurePosixPath(text)
    if any(part in ("", ".", "..") for part in text.split("/")) or find_fault(name):
        raise UsageError(
            f"{each.uri} would get the name {shown(text)}, which no output can have; choose other"
            " spec.destination.names or rename it"
        )
    return name


def _require_different(names: Sequence[PurePosixPath], files: Sequence[FoundFile]) -> None:
    """Refuse outputs of one name, and such as could have the name of an archive's, which is not open yet."""
    uris: dict[PurePosixPath, str] = {}
    below: dict[PurePosixPath, str] = {}
    for name, each in zip(names, files, strict=True):
        if name in uris:
            raise _clash(uris[name], each.uri, f"be called {name}")
        uris[name] = each.uri
        below |= dict.fromkeys(name.parents, each.uri)
    for name, each in _archives(names, files):
        if name in below:
            raise _clash(each.uri, below[name], f"have outputs in {name}/")


def _archives(names: Sequence[PurePosixPath], files: Sequence[FoundFile]) -> Iterator[tuple[PurePosixPath, FoundFile]]:
    return ((name, each) for name, each in zip(names, files, strict=True) if is_archive(each.file.name))


def _clash(one: str, other: str, what: str) -> UsageError:
    return UsageError(
        f"{one} and {other} would both {what}; choose other spec.destination.names, rename one or compress them apart"
    )
