"""The names of outputs: short, different from each other, and the same in whatever order scenes are found."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath as Pure

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sogs_worker.errors import UsageError
from sogs_worker.naming import META, name_target, take_suffix
from sogs_worker.source.names import PATHS, FoundFile, Pattern, name_found_files, name_scenes_of, parse_pattern

NAMES = {
    "a scene": ({"garden.ply": "garden.sog"}),
    "folders": ({"a/b/garden.ply": "a/b/garden.sog", "garden.ply": "garden.sog"}),
    "a folder without a name, as a bucket can have": ({"/garden.ply": "/garden.sog"}),
    "a double suffix": ({"biker.compressed.ply": "biker.sog"}),
    "capitals": ({"GARDEN.PLY": "GARDEN.sog"}),
    "no suffix": ({"garden": "garden.sog", ".ply": ".ply.sog"}),
    "dots": ({"v1.2.ply": "v1.2.sog"}),
    "unbundled": ({"a/playbot/meta.json": "a/playbot.sog"}),
    "unbundled in the source's folder": ({"meta.json": "root.sog"}),
    "an archive of one": ({"a/garden.zip:x/y.ply": "a/garden.sog"}),
    "an archive of two": ({"a/town.tar.gz:x/y.ply": "a/town/x/y.sog", "a/town.tar.gz:z.ply": "a/town/z.sog"}),
    "unbundled in an archive": ({"a.tgz:meta.json": "a.sog"}),
    "unbundled in an archive of two": ({"a.tgz:meta.json": "a.sog", "a.tgz:b/meta.json": "a/b.sog"}),
    "two formats": ({"garden.ply": "garden.ply.sog", "garden.sog": "garden.sog.sog", "b.ply": "b.sog"}),
    "a scene and its folder": ({"a.ply": "a.ply.sog", "a/meta.json": "a/meta.json.sog"}),
    "a scene and its archive": ({"a.ply": "a.sog", "a.zip:b.ply": "a.zip.sog"}),
    "an archive and a folder": ({"a.zip:x.ply": "a.zip/x.sog", "a.zip:y.ply": "a.zip/y.sog", "a/x.ply": "a/x.sog"}),
    "two archives": (
        {"a.zip:x.ply": "a.zip/x.sog", "a.zip:y.ply": "a.zip/y.sog", "a.tar:x.ply": "a.tar/x.sog"}
        | {"a.tar:z.ply": "a.tar/z.sog"}
    ),
    "a scene called like an archive": ({"a.zip.ply": "a.zip.ply.sog", "a.zip:x.ply": "a.sog"}),
    "a long name that is a short one": ({"a.ply": "a.ply.sog", "a.sog": "a.sog.sog", "a.ply.ply": "a.ply.ply.sog"}),
}


@dataclass(frozen=True)
class Origin:
    """A scene's file or its archive, the scene in it, and the name of the folder in which both were found."""

    file: Pure
    member: Pure | None = None
    folder: str = "scene"


def see(files: Sequence[Pure], home: str = "root") -> list[FoundFile]:
    return [FoundFile(file, home, f"s3://scenes/{file}") for file in files]


def name_outputs(origins: Sequence[Origin], pattern: Pattern = PATHS) -> list[Pure]:
    """Name the outputs of all scenes, as is done when their archives are opened one after the other."""
    archives = list(dict.fromkeys(origin.file for origin in origins if origin.member is not None))
    scenes = [place for place, origin in enumerate(origins) if origin.member is None]
    located = [origin.folder / origin.file if origin.file == Pure(META) else origin.file for origin in origins]
    roots = name_found_files(see([*archives, *(located[place] for place in scenes)]), pattern)
    names = dict(zip(scenes, roots[len(archives) :], strict=True))
    for archive, root in zip(archives, roots, strict=False):
        places = [place for place, origin in enumerate(origins) if origin.file == archive and origin.member is not None]
        members = see([origins[place].member or Pure() for place in places], take_suffix(archive.name))
        names |= zip(places, name_scenes_of(root, members, pattern), strict=True)
    return [names[place] for place in range(len(origins))]


def parse(text: str) -> Origin:
    file, colon, member = text.partition(":")
    return Origin(Pure(file), Pure(member) if colon else None, "root")


@pytest.mark.parametrize("name", NAMES)
def test_names(name: str) -> None:
    expected = NAMES[name]
    named = [name_target(name, "sog") for name in name_outputs([parse(text) for text in expected])]
    assert dict(zip(expected, map(str, named), strict=True)) == expected


STEMS = st.sampled_from(["a", "b", "a.ply", "a.zip", "meta"])
FILES = st.tuples(STEMS, st.sampled_from([".ply", ".sog", ".compressed.ply", ".PLY", "/meta.json"])).map("".join)
PATHS = st.tuples(st.sampled_from(["", "a/", "a.zip/", "b/a/"]), FILES).map("".join)
ARCHIVES = st.tuples(st.sampled_from(["a", "b/a"]), st.sampled_from([".zip", ".tgz", ".tar.gz"])).map("".join)
ORIGINS = st.one_of(PATHS, st.tuples(ARCHIVES, PATHS).map(":".join))


@given(st.lists(ORIGINS, unique=True, max_size=12), st.randoms())
def test_names_differ_whatever_the_order(texts: list[str], random: object) -> None:
    origins = [parse(text) for text in texts]
    try:
        named = dict(zip(origins, name_outputs(origins), strict=True))
    except UsageError:
        # An object store can have the archive a.zip and the "folder" a.zip/ at once.
        assert any("a.zip:" in text for text in texts)
        assert any("a.zip/" in text for text in texts)
        return
    assert len(set(named.values())) == len(origins)
    assert all(name.name and not name.is_absolute() and ".." not in name.parts for name in named.values())
    random.shuffle(origins)  # type: ignore[attr-defined]
    assert dict(zip(origins, name_outputs(origins), strict=True)) == named


def test_one_path_twice_has_no_two_names() -> None:
    with pytest.raises(UsageError, match=r"^s3://scenes/garden\.ply and s3://scenes/garden\.ply would both be called"):
        name_outputs([parse("garden.ply")] * 2)


TRAINED = "point_cloud/iteration_30000/point_cloud.ply"

PATTERNS = {
    "a trainer's scenes": ("{top}", {f"garden/{TRAINED}": "garden", f"lawn/{TRAINED}": "lawn"}),
    "by their folders": ("{folder}", {"garden/point_cloud.ply": "garden", "a/lawn/point_cloud.ply": "lawn"}),
    "right in the source": ("{folder}-{top}", {"a.ply": "root-root"}),
    "by their file names": ("{stem}", {"x/a.compressed.ply": "a", "y/b.spz": "b"}),
    "with text": ("v2/{top}/{stem} (small)", {"x/y/a.ply": "v2/x/a (small)"}),
    "below a folder": ("v2/{path}", {"x/a.ply": "v2/x/a", "a.ply": "v2/a.ply", "a.sog": "v2/a.sog"}),
    "one name": ("garden", {f"x/{TRAINED}": "garden"}),
    "unbundled": ("{top}-{folder}-{stem}", {"a/b/meta.json": "a-b-b"}),
    "an archive of one": ("{stem}-v2", {"x/garden.zip:a/b.ply": "garden-v2"}),
    "an archive of one by its folder": ("{folder}", {f"x/garden.zip:{TRAINED}": "garden"}),
    "an archive of one by its first folder": ("{top}", {f"garden.zip:{TRAINED}": "garden", f"x/{TRAINED}": "x"}),
    "an archive of two": ("{top}", {f"tour.zip:a/{TRAINED}": "tour/a", f"tour.zip:b/{TRAINED}": "tour/b"}),
    "an archive of two, in a folder": ("v2/{path}", {"t.zip:a/x.ply": "v2/t/a/x", "t.zip:b.ply": "v2/t/b"}),
    "an archive of two, with text": ("v2/{top}-v2", {"t.zip:a/x.ply": "v2/t-v2/a-v2", "t.zip:b/x.ply": "v2/t-v2/b-v2"}),
    "right in an archive": ("{folder}", {"t.zip:a.ply": "t/t", "t.zip:b/c.ply": "t/b"}),
    "unbundled in an archive": ("{folder}", {"t.zip:meta.json": "t/t", "t.zip:b/meta.json": "t/b"}),
    "two archives": ("{folder}", {"a.zip:x/c.ply": "a/x", "a.zip:y/c.ply": "a/y", "b.zip:x/c.ply": "b"}),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_names_by_a_pattern(name: str) -> None:
    text, expected = PATTERNS[name]
    named = name_outputs([parse(each) for each in expected], parse_pattern(text))
    assert dict(zip(expected, map(str, named), strict=True)) == expected


@pytest.mark.parametrize(
    ("text", "files", "sentence"),
    [
        ("{stem}", ["a/x.ply", "b/x.ply"], "s3://scenes/a/x.ply and s3://scenes/b/x.ply would both be called x; "),
        ("{top}", ["x.zip", "x/a.ply"], "s3://scenes/x.zip and s3://scenes/x/a.ply would both be called x; "),
        (
            "{path}",
            ["a.zip", "a.zip/x.ply", "a/y.ply"],
            "a.zip and s3://scenes/a.zip/x.ply would both have outputs",
        ),
        ("{top}", ["a/x.zip", "a/y.zip"], "s3://scenes/a/x.zip and s3://scenes/a/y.zip would both be called a; "),
        ("{folder}", ["../x.ply"], "s3://scenes/../x.ply would get the name .., which no output can have; choose "),
        ("{folder}", ["a\n/x.ply"], "would get the name 'a\\n', which no output can have"),
        ("{folder}" * 9, [f"{'x' * 50}/a.ply"], "which no output can have"),
    ],
)
def test_refuses_names_before_any_work(text: str, files: list[str], sentence: str) -> None:
    with pytest.raises(UsageError, match=re.escape(sentence)):
        name_found_files(see([Pure(file) for file in files]), parse_pattern(text))


@pytest.mark.parametrize(
    "text",
    [
        *("", "/{path}", "{path}/", "a//b", "..", "../{path}", "{path}/..", ".{stem}", "a/.b"),
        *(
            "{name}",
            "{",
            "{stem",
            "}",
            "{path:2}",
            "{parts[0]}",
            "{{path}}",
            "{}",
            "a\n",
            "{stem}\n",
            "a\x7f",
            "a" * 257,
        ),
    ],
)
def test_refuses_a_pattern(text: str) -> None:
    with pytest.raises(UsageError, match=r"^spec\.destination\.names is .* it must be a path of text") as refused:
        parse_pattern(text)
    assert refused.value.exit_code == 64


TEXTS = st.lists(st.sampled_from(["{path}", "{stem}", "{folder}", "{top}", "a", "-", "/"]), min_size=1, max_size=5)


@given(st.lists(ORIGINS, unique=True, max_size=8), TEXTS.map("".join), st.randoms())
def test_names_by_a_pattern_differ_whatever_the_order(texts: list[str], pattern: str, random: object) -> None:
    origins = [parse(text) for text in texts]
    try:
        named = dict(zip(origins, name_outputs(origins, parse_pattern(pattern)), strict=True))
    except UsageError:
        return
    assert len(set(named.values())) == len(origins)
    assert all(name.name and not name.is_absolute() and ".." not in name.parts for name in named.values())
    random.shuffle(origins)  # type: ignore[attr-defined]
    assert dict(zip(origins, name_outputs(origins, parse_pattern(pattern)), strict=True)) == named
