"""Which scenes globs take: as the shell's and the standard library's find them, in archives too."""

from __future__ import annotations

import glob
import tempfile
from pathlib import Path
from pathlib import PurePosixPath as Pure

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sogs_worker.errors import UsageError
from sogs_worker.source.selection import MAX_GLOBS, Selection, is_glob, matches, parse_selection


@pytest.mark.parametrize(
    ("pattern", "taken", "left"),
    [
        ("*.ply", ["a.ply"], ["b/a.ply", "a.PLY", "a.plys"]),
        ("**/*.ply", ["a.ply", "b/a.ply", "b/c/a.ply"], ["a.spz"]),
        ("**", ["a.ply", "b/c/a.ply"], []),
        ("b/**", ["b/a.ply", "b/c/a.ply"], ["b", "a/b/a.ply"]),
        ("**/b/*.ply", ["b/a.ply", "a/b/a.ply"], ["b/c/a.ply"]),
        ("b/**/a.ply", ["b/a.ply", "b/c/d/a.ply"], ["a.ply", "b/a.ply/x"]),
        ("?.ply", ["a.ply"], ["ab.ply", ".ply"]),
        ("[ab]*[!0-9].ply", ["bx.ply"], ["b1.ply", "cx.ply"]),
        ("a[[]1].ply", ["a[1].ply"], ["a1.ply"]),
        (
            "**/point_cloud/iteration_30000/*.ply",
            ["garden/point_cloud/iteration_30000/point_cloud.ply"],
            ["garden/point_cloud/iteration_7000/point_cloud.ply", "garden/input.ply"],
        ),
    ],
)
def test_matches_whole_paths(pattern: str, taken: list[str], left: list[str]) -> None:
    assert [path for path in (*taken, *left) if matches(pattern, Pure(path))] == taken


NAMES = st.sampled_from(["a", "b", "ab", "a.ply", "b.ply", "A", "[a]"])
FILES = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
PARTS = st.sampled_from(["a", "b", "*", "**", "?", "*.ply", "[ab]", "[!a]*", "a*", "[[]a]", "*b*", "[a"])
GLOBS = st.lists(PARTS, min_size=1, max_size=5).map("/".join)


@given(st.lists(FILES, max_size=8), GLOBS)
def test_takes_the_files_that_the_standard_library_finds(files: list[str], pattern: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in files:
            path = root / name
            if not path.exists() and not any(parent.is_file() for parent in path.parents):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        there = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
        found = glob.glob(pattern, root_dir=root, recursive=True, include_hidden=True)  # noqa: PTH207 - the reference
        assert {path for path in there if matches(pattern, Pure(path))} == there & set(found)


@given(FILES, FILES, st.lists(GLOBS, max_size=3), st.lists(GLOBS, max_size=3))
def test_an_archive_of_which_a_scene_is_taken_may_hold_one(
    archive: str, scene: str, include: list[str], exclude: list[str]
) -> None:
    selection = Selection(tuple(include), tuple(exclude))
    if selection.inside(Pure(archive)).takes(Pure(scene)):
        assert selection.may_hold(Pure(archive))


@pytest.mark.parametrize(
    ("include", "exclude", "taken"),
    [
        ((), (), ["a/x.ply", "y.ply"]),
        (("**/*.ply",), (), ["a/x.ply", "y.ply"]),
        (("s/tour.zip",), (), ["a/x.ply", "y.ply"]),
        (("s/tour.zip/a/*",), (), ["a/x.ply"]),
        (("**/a/x.ply",), (), ["a/x.ply"]),
        ((), ("**/y.*",), ["a/x.ply"]),
        (("s/*",), ("**/x.ply",), ["y.ply"]),
        ((), ("**/*.zip",), []),
        ((), ("s/tour.zip/**",), []),
        (("*.ply",), (), []),
        (("other/**",), (), []),
    ],
)
def test_a_scene_in_an_archive_has_the_archives_path_before_its_own(
    include: tuple[str, ...], exclude: tuple[str, ...], taken: list[str]
) -> None:
    selection, archive = Selection(include, exclude), Pure("s/tour.zip")
    assert [name for name in ("a/x.ply", "y.ply") if selection.inside(archive).takes(Pure(name))] == taken
    assert selection.may_hold(archive) is bool(taken)


def test_an_archive_that_is_the_source_is_the_root() -> None:
    selection = Selection(("a/*.ply",))
    assert selection.inside(Pure()).takes(Pure("a/x.ply"))
    assert not selection.inside(Pure("tour.zip")).takes(Pure("a/x.ply"))


@pytest.mark.parametrize(
    "text",
    ["", "/a", "a/", "a//b", "./a", "a/../b", "..", "a**", "**.ply", "a/b**/c", "***", "a\nb", "a\x7f", "a" * 1025],
)
def test_refuses_a_glob_that_matches_not_what_it_seems_to(text: str) -> None:
    assert not is_glob(text)
    with pytest.raises(UsageError, match=r"^spec\.source\.exclude has ") as refused:
        parse_selection(["a.ply"], ["b.ply", text])
    assert refused.value.exit_code == 64


def test_refuses_too_many() -> None:
    with pytest.raises(UsageError, match=r"spec\.source\.include has 65 globs; it may have 64"):
        parse_selection(["a"] * (MAX_GLOBS + 1), [])


@pytest.mark.parametrize(
    ("include", "exclude", "sentence"),
    [
        ("ab", "c", "matches spec.source.include a, b and not spec.source.exclude c"),
        ("a", "", "matches spec.source.include a"),
        ("", "a", "does not match spec.source.exclude a"),
        ("abcdefg", "", "matches spec.source.include a, b, c, d, e and 2 more"),
    ],
)
def test_says_what_it_takes(include: str, exclude: str, sentence: str) -> None:
    assert str(Selection(tuple(include), tuple(exclude))) == sentence
