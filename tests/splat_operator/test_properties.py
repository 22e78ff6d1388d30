"""Whatever happens in whatever order: one Job name per spec, never two runs at a time, no outcome taken back."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from small_world import World
from splat_operator.identity import job_name
from splat_operator.names import TERMINAL_PHASES


class Operation(RuleBasedStateMachine):
    """Users, controllers, time and an operator that may be cut off after any action, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.names_by_output: dict[str, str] = {}
        self.outcome: tuple[str, dict[str, Any]] | None = None

    @rule(share=st.floats(0, 1))
    def operator_passes(self, share: float) -> None:
        actions = self.world.decide()
        output = repr(self.world.look().resource.spec.output)
        before = len(self.world.created)
        for action in actions[: round(share * len(actions))]:
            self.world.execute(action)
        for name in self.world.created[before:]:
            assert self.names_by_output.setdefault(output, name) == name

    @rule()
    def pods_are_made(self) -> None:
        self.world.make_pods()

    @rule()
    def pods_start(self) -> None:
        self.world.start_pods()

    @rule(exit_code=st.sampled_from([0, 0, 1, 65, 69, 75]))
    def pods_end(self, exit_code: int) -> None:
        self.world.end_pods(exit_code)

    @rule()
    def deleted_pods_go(self) -> None:
        self.world.remove_pods()

    @rule()
    def jobs_are_judged(self) -> None:
        self.world.judge_jobs()

    @rule()
    def jobs_expire(self) -> None:
        self.world.expire_jobs()

    @rule(seconds=st.integers(1, 100))
    def time_passes(self, seconds: int) -> None:
        self.world.wait(seconds)

    @rule(
        edit=st.sampled_from(
            [
                {"preview": True},
                {"preview": False},
                {"suspend": True},
                {"suspend": False},
                {"retries": 0},
                {"nodeSelector": {"pool": "gpu"}},
                {"ttlSecondsAfterFinished": 0},
                {"pendingDeadlineSeconds": 50},
            ]
        )
    )
    def user_edits(self, edit: dict[str, Any]) -> None:
        self.world.edit(**edit)

    @precondition(lambda self: self.world.jobs)
    @rule()
    def user_deletes_the_job(self) -> None:
        self.world.delete_job(next(iter(self.world.jobs)))

    @invariant()
    def one_run_at_a_time(self) -> None:
        assert len(self.world.active_pods()) <= 1

    @invariant()
    def outcome_stays(self) -> None:
        """As long as the spec asks for the same output, and nothing else has run meanwhile."""
        world = self.world
        status = {
            name: value for name, value in world.status.items() if name not in ("observedGeneration", "conditions")
        }
        resource = world.look().resource
        desired = job_name(resource_name=resource.key.name, uid=resource.uid, output=resource.spec.output)
        is_outcome = world.phase in TERMINAL_PHASES and status.get("jobName") == desired
        if self.outcome and self.outcome[0] == desired:
            assert status == self.outcome[1]
        self.outcome = (desired, status) if is_outcome else None

    def teardown(self) -> None:
        """Left alone, the operator comes to rest, and what it started comes to an end."""
        self.world.edit(suspend=False)
        for _ in range(12):
            self.world.settle()
            self.world.remove_pods()
            self.world.make_pods()
            self.world.start_pods()
            self.world.end_pods(0)
            self.world.judge_jobs()
        self.world.settle()
        assert self.world.phase in TERMINAL_PHASES


Operation.TestCase.settings = settings(max_examples=25, stateful_step_count=30)
TestOperation = Operation.TestCase
