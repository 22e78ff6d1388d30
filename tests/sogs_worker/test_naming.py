"""The names of outputs: short, different from each other, and the same in whatever order scenes are found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath as Pure

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sogs_worker.errors import UsageError
from sogs_worker.naming import META, name_files, name_members, name_target

NAMES = {
    "a scene": ({"garden.ply": "garden.sog"}),
    "folders": ({"a/b/garden.ply": "a/b/garden.sog", "garden.ply": "garden.sog"}),
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


def name_outputs(origins: Sequence[Origin]) -> list[Pure]:
    """Name the outputs of all scenes, as is done when their archives are opened one after the other."""
    archives = list(dict.fromkeys(origin.file for origin in origins if origin.member is not None))
    scenes = [place for place, origin in enumerate(origins) if origin.member is None]
    located = [origin.folder / origin.file if origin.file == Pure(META) else origin.file for origin in origins]
    roots = name_files([*archives, *(located[place] for place in scenes)])
    names = dict(zip(scenes, roots[len(archives) :], strict=True))
    for archive, root in zip(archives, roots, strict=False):
        places = [place for place, origin in enumerate(origins) if origin.file == archive and origin.member is not None]
        names |= zip(places, name_members(root, [origins[place].member or Pure() for place in places]), strict=True)
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
    with pytest.raises(UsageError, match=r"garden\.ply: two outputs"):
        name_outputs([parse("garden.ply")] * 2)
