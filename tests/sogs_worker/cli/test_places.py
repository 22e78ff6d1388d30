"""What a person types as OUT: where outputs go, and what is refused before any work."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from sogs_worker.cli.places import open_output, temporary_folder
from sogs_worker.cli.targets import check_output
from sogs_worker.engines.parameters import FORMATS
from sogs_worker.errors import StorageError, UsageError
from sogs_worker.source.names import PATHS, Pattern

UNBUNDLED = [name for name in FORMATS if name != "sog"]


def targets(output: str, output_format: str, folder: Path, *names: str) -> list[str]:
    target = open_output(output, output_format, {}, scratch=folder)
    return [target.store.uri(target.key_of(PurePosixPath(name))) for name in names]


@pytest.mark.parametrize("place", ["x", "s3://bucket/x"])
def test_a_bundle_goes_to_one_file_and_many_to_a_folder(place: str, tmp_path: Path) -> None:
    assert targets(f"{place}/y.sog", "sog", tmp_path, "a") == [f"{place}/y.sog"]
    assert targets(f"{place}/", "sog", tmp_path, "a", "b/c") == [f"{place}/a.sog", f"{place}/b/c.sog"]


@pytest.mark.parametrize("output_format", UNBUNDLED)
def test_files_go_to_a_folder_of_their_own(output_format: str, tmp_path: Path) -> None:
    assert targets("x/", output_format, tmp_path, "a", "b") == ["x/a/meta.json", "x/b/meta.json"]
    assert targets("x/y/meta.json", output_format, tmp_path, "a") == ["x/y/meta.json"]


def test_without_a_folder_for_temporary_files_the_output_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container whose root is read-only."""

    def find_none() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr("sogs_worker.cli.places.gettempdir", find_none)
    with temporary_folder(f"{tmp_path}/new/a.sog") as folder:
        assert folder.parent == tmp_path
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StorageError, match="set TMPDIR to one"), temporary_folder("s3://bucket/a.sog"):
        pytest.fail("there is none")


REFUSALS = [
    ("two scenes", 2, "x.sog", "sog", "x.sog: 2 scenes need a folder"),
    ("two unbundled", 2, "x/meta.json", "sogs-v1", "2 scenes need a folder"),
    ("no bundle", 1, "x", "sog", "must end in .sog, or in /"),
    ("a bundle", 1, "x.sog", "sog-unbundled", "x.sog: the output must end in meta.json, or in /"),
    ("metadata", 1, "x/meta.json", "sog", "must end in .sog, or in /"),
    ("another json", 1, "x/my-meta.json", "sogs-v1", "must end in meta.json, or in /"),
]


@pytest.mark.parametrize(
    ("count", "output", "output_format", "words"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS]
)
def test_refuses_what_cannot_be(count: int, output: str, output_format: str, words: str) -> None:
    with pytest.raises(UsageError, match=words.replace(".", r"\.")):
        check_output(output, count, output_format, PATHS)


def test_refuses_names_for_exactly_one_file() -> None:
    check_output("x/", 2, "sog", Pattern("{folder}"))
    with pytest.raises(UsageError, match="--names has no meaning for exactly one file; end OUT in /"):
        check_output("x.sog", 1, "sog", Pattern("{folder}"))
