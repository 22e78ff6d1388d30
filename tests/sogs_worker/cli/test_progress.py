"""Progress is a bar on a terminal and JSON lines elsewhere."""

from __future__ import annotations

import io
import json

import pytest

from sogs_worker.progress import showing_progress

TOLD = [("read", 0.0), ("encode", 0.0), ("encode", 0.5), ("write", 1.0), ("done", 1.0)]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def show(stream: io.StringIO, *, as_json: bool) -> str:
    with showing_progress("scene.ply", as_json=as_json, stream=stream) as progress:
        for stage, fraction in TOLD:
            progress(stage, fraction)
    return stream.getvalue()


@pytest.mark.parametrize(("stream", "as_json"), [(io.StringIO(), False), (Terminal(), True)], ids=["pipe", "--json"])
def test_json_lines(stream: io.StringIO, as_json: bool) -> None:
    records = [json.loads(line) for line in show(stream, as_json=as_json).splitlines()]
    assert [record["stage"] for record in records] == ["read", "encode", "write", "done"]
    percents = [record["percent"] for record in records]
    assert percents == sorted(percents)
    assert (percents[0], percents[-1]) == (0, 100)
    assert {"time", "etaSeconds", "scenesDone", "scenesTotal"} < set(records[0])


def test_a_bar() -> None:
    shown = show(Terminal(), as_json=False)
    assert shown.startswith("\rscene.ply")
    assert "{" not in shown
