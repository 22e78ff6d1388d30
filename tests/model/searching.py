"""One story searched, with the real operator or with a fault."""

from __future__ import annotations

from model.checker import Report, explore
from model.goal import desired_state
from model.mind import Mind, Reconcile, decide
from model.promises import ALL
from model.stories import STORIES, Story, start

LIMIT = 2000
"""States that a test looks at, of each story."""


def search(story: str | Story, reconcile: Reconcile = decide, limit: int = LIMIT) -> Report:
    """Search the story's states, from what the real operator has come to first."""
    told = STORIES[story] if isinstance(story, str) else story
    return explore(start(told, Mind(decide)), reconcile, ALL, desired_state, limit=limit)
