"""Orders of events, crashes between any two writes, views that are behind: the promises hold, the goal is reached.

The search is breadth-first and ends after some thousand states of each story, so it is exhaustive near the beginning
(for the stories marked so, altogether); random walks (`test_walks`) go further. The faults planted in `test_faults`
show that it finds what it is for, and `test_views` that the real store is what the model takes it for.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.mind import Mind, decide
from model.rounds import rest
from model.searching import search
from model.stories import STORIES, start


@pytest.mark.parametrize("story", STORIES)
def test_promises_hold_and_the_goal_is_reached(story: str) -> None:
    report = search(story)
    assert not report.broken, f"{report.broken}, after {report.trace}"
    assert report.is_complete == STORIES[story].is_small


@pytest.mark.parametrize("story", [name for name, story in STORIES.items() if not story.first])
def test_what_is_not_disturbed_is_told_once(story: str) -> None:
    """An end that nobody hears of would break no promise above."""
    mind = Mind(decide)
    calm = rest(start(replace(STORIES[story], edits=[], budget={}), mind), mind)
    ends = {
        what.split()[1]: count for what, count in calm["told"].items() if what.split()[1] in ("Succeeded", "Failed")
    }
    assert ends == {"Succeeded": 1}
    assert list(calm["finished"].values()) == [1]
