"""The file that stands for an output: named by the format, and what lies beside it by that."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from sogs_worker.cli.targets import plan_outputs
from sogs_worker.engines.parameters import FORMATS
from sogs_worker.errors import UsageError
from sogs_worker.naming import Origin, beside, name_target, stem_of

UNBUNDLED = [name for name in FORMATS if name != "sog"]


def origin(file: str) -> tuple[Path, Origin]:
    return Path(file), Origin(PurePosixPath(file), None, "root")


@pytest.mark.parametrize("output_format", FORMATS)
@pytest.mark.parametrize("name", ["a", "a/b", "v1.2", "a.sog", "x/meta.json"])
def test_the_stem_of_a_target_is_its_name(name: str, output_format: str) -> None:
    assert stem_of(str(name_target(PurePosixPath(name), output_format))) == name


def test_a_target_without_a_folder_has_a_stem_too() -> None:
    assert stem_of("meta.json") == "meta"
    assert (beside("meta.json", "x.webp"), beside("a/b/meta.json", "x.webp")) == ("x.webp", "a/b/x.webp")


def test_a_bundle_goes_to_one_file_and_many_to_a_folder() -> None:
    assert plan_outputs([origin("a.ply")], "x/y.sog", "sog") == [Path("x/y.sog")]
    assert plan_outputs([origin("a.ply"), origin("b.ply")], "x/", "sog") == [Path("x/a.sog"), Path("x/b.sog")]


@pytest.mark.parametrize("output_format", UNBUNDLED)
def test_files_go_to_a_folder_of_their_own(output_format: str) -> None:
    two = [origin("a.ply"), origin("b.ply")]
    assert plan_outputs(two, "x/", output_format) == [Path("x/a/meta.json"), Path("x/b/meta.json")]
    assert plan_outputs(two[:1], "x/y/meta.json", output_format) == [Path("x/y/meta.json")]


REFUSALS = [
    ("two scenes", ["a.ply", "b.ply"], "x.sog", "sog", "x.sog: 2 scenes need a folder"),
    ("two unbundled", ["a.ply", "b.ply"], "x/meta.json", "sogs-v1", "2 scenes need a folder"),
    ("no bundle", ["a.ply"], "x", "sog", "must end in .sog, or in /"),
    ("a bundle", ["a.ply"], "x.sog", "sog-unbundled", "x.sog: the output must end in meta.json, or in /"),
    ("metadata", ["a.ply"], "x/meta.json", "sog", "must end in .sog, or in /"),
    ("another json", ["a.ply"], "x/my-meta.json", "sogs-v1", "must end in meta.json, or in /"),
    ("input", ["a.sog"], "./a.sog", "sog", "overwritten"),
    ("unbundled input", ["a/meta.json"], "./a/meta.json", "sog-unbundled", "overwritten"),
    ("its planes", ["a/other.json"], "./a/meta.json", "sog-unbundled", "overwritten"),
    ("by its name", ["a/meta.json"], "./", "sog-unbundled", "overwritten"),
]


@pytest.mark.parametrize(
    ("scenes", "output", "output_format", "words"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS]
)
def test_refuses_what_cannot_be(scenes: list[str], output: str, output_format: str, words: str) -> None:
    with pytest.raises(UsageError, match=words.replace(".", r"\.")):
        plan_outputs([origin(scene) for scene in scenes], output, output_format)
