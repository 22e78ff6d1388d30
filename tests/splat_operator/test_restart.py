"""The operator may end between any two actions of any pass: the user sees one run and one outcome all the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from small_world import World
from splat_operator.model import Requeue

Step = Callable[[World], None]


@dataclass(frozen=True)
class Story:
    """What happens around the operator; after each step it runs until it rests."""

    steps: tuple[Step, ...]
    phase: str
    jobs: int = 1
    finishes: int = 1


def make(world: World) -> None:
    world.make_pods()


def start(world: World) -> None:
    world.start_pods()


def succeed(world: World) -> None:
    world.end_pods(0)


def conclude(world: World) -> None:
    world.judge_jobs()


def expire(world: World) -> None:
    world.expire_jobs()


def stop(world: World) -> None:
    world.remove_pods()


def fail(code: int) -> Step:
    return lambda world: world.end_pods(code)


def edit(**spec: object) -> Step:
    return lambda world: world.edit(**spec)


def begin(_world: World) -> None:
    """The resource is applied."""


def lose_secret(world: World) -> None:
    state = {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "s3-credentials" not found'}}
    for pod in world.pods:
        pod["status"]["containerStatuses"][0]["state"] = state


def wait(world: World) -> None:
    world.wait(60)


RUN = (begin, make, start, succeed, conclude)

STORIES = {
    "success": Story((*RUN, expire), "Succeeded"),
    "success, TTL at once": Story((edit(ttlSecondsAfterFinished=0), *RUN, expire, wait), "Succeeded"),
    "permanent failure": Story((begin, make, start, fail(66), conclude, expire), "Failed"),
    "second attempt succeeds": Story((begin, make, start, fail(69), conclude, *RUN[1:]), "Succeeded"),
    "no retry left": Story((edit(retries=0), make, start, fail(69), conclude, expire), "Failed"),
    "missing Secret": Story((begin, make, lose_secret, wait, stop, wait), "Failed"),
    "suspended and resumed": Story((begin, make, edit(suspend=True), make, edit(suspend=False), *RUN[1:]), "Succeeded"),
    "edited while it runs": Story((begin, make, start, edit(preview=True), stop, *RUN), "Succeeded", jobs=2),
    "edited when done": Story((*RUN, edit(preview=True), *RUN, expire), "Succeeded", jobs=2, finishes=2),
    "moved before it starts": Story((begin, make, edit(nodeSelector={"a": "b"}), stop, *RUN), "Succeeded", jobs=2),
    "harmless edit when done": Story((*RUN, expire, edit(retries=9)), "Succeeded"),
}


def play(story: Story, *, crash_step: int = -1, crash_after: int = 0) -> World:
    """Run the story; in one step the first pass ends after so many actions, as if the operator had been killed."""
    world = World()
    for number, step in enumerate(story.steps):
        step(world)
        if number == crash_step:
            for action in world.decide()[:crash_after]:
                world.execute(action)
        world.settle()
    return world


def crashes(story: Story) -> list[tuple[int, int]]:
    """Every place between two actions of the first pass after each step."""
    world, places = World(), []
    for number, step in enumerate(story.steps):
        step(world)
        count = sum(not isinstance(action, Requeue) for action in world.decide())
        places += [(number, after) for after in range(1, count)]
        world.settle()
    return places


@pytest.mark.parametrize("name", STORIES)
def test_story(name: str) -> None:
    story = STORIES[name]
    world = play(story)
    assert world.phase == story.phase
    assert len(world.created) == story.jobs
    assert sum(world.finishes.values()) == story.finishes
    assert world.status["observedGeneration"] == world.generation


@pytest.mark.parametrize(
    ("name", "step", "after"),
    [(name, *place) for name, story in STORIES.items() for place in crashes(story)],
)
def test_restart(name: str, step: int, after: int) -> None:
    story, undisturbed = STORIES[name], play(STORIES[name])
    world = play(story, crash_step=step, crash_after=after)
    assert world.created == undisturbed.created
    assert world.status == undisturbed.status
    assert world.events <= undisturbed.events, "a restart repeats no Event"
    assert world.finishes <= undisturbed.finishes
