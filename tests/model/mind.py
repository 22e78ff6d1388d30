"""The operator's decisions, which depend on nothing but what it sees and the clock; so each is made once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from compressions import SETTINGS
from model.cluster import Raw, State, now, pack
from model.views import observe
from splat_operator.api.model import Action, CountWait, CreateJob, LookAgain, Observed, Requeue, WriteStatus
from splat_operator.cluster.parsing import assemble, parse_resource
from splat_operator.decide import reconcile as core

Reconcile = Callable[[Observed, datetime], list[Action]]
Seen = dict[str, list[Raw]]

NAME_TAKEN = 409
_ACTIONS: dict[str, Action] = {}
"""By what states call them: states hold plain values only."""


@dataclass(frozen=True)
class Decision:
    """What is to be done, by names that `action_of` knows, and about which resource."""

    plan: list[str] = field(default_factory=list)
    is_looking_again: bool = False
    about: dict[str, Any] | None = None
    """UID and generation of the resource that was seen; None: there was none."""
    otherwise: dict[str, list[str]] = field(default_factory=dict)
    """What is done where a request is refused: `job` a Job whose name is taken, `status` a status."""


class Mind:
    """Decides as `reconcile` does, and remembers."""

    def __init__(self, reconcile: Reconcile) -> None:
        self._reconcile = reconcile
        self._known: dict[bytes, Decision] = {}

    def decide(self, state: State, kinds: Seen, *, is_live: bool) -> Decision:
        """The decision on what the store has, or on a look at the API server itself."""
        has_departed = state["departed"] and not is_live
        key = pack([kinds, has_departed, is_live, state["seconds"]])
        if key not in self._known:
            observed = look(kinds) if is_live else observe(kinds, has_departed=has_departed)
            self._known[key] = Decision() if observed is None else self._decide(observed, now(state))
        return self._known[key]

    def _decide(self, observed: Observed, moment: datetime) -> Decision:
        resource, actions = observed.resource, self._reconcile(observed, moment)
        if any(isinstance(action, LookAgain) for action in actions):
            return Decision(is_looking_again=True)
        otherwise: dict[str, list[Action]] = {}
        if any(isinstance(action, CreateJob) for action in actions):
            otherwise["job"] = core.refused(
                observed, code=NAME_TAKEN, words="The name is taken.", is_final=False, now=moment, settings=SETTINGS
            )
        if any(isinstance(action, WriteStatus) for action in actions):
            otherwise["status"] = core.unwritable(observed, words="It is refused.", reason="StatusRefused", now=moment)
        return Decision(
            _names(actions),
            about={"uid": resource.uid, "generation": resource.generation},
            otherwise={what: _names(instead) for what, instead in otherwise.items()},
        )


def decide(observed: Observed, now: datetime) -> list[Action]:
    """The operator's own decision."""
    return core.reconcile(observed, now=now, settings=SETTINGS)


def look(kinds: Seen) -> Observed | None:
    """What a look at the API server itself shows."""
    if not kinds["resource"]:
        return None
    return assemble(parse_resource(kinds["resource"][0]), kinds["jobs"], kinds["pods"])


def action_of(name: str) -> Action:
    """The action that a state calls so."""
    return _ACTIONS[name]


def _names(actions: list[Action]) -> list[str]:
    return [_name(action) for action in actions if not isinstance(action, Requeue | CountWait)]


def _name(action: Action) -> str:
    name = f"{type(action).__name__} {hashlib.sha256(repr(action).encode()).hexdigest()[:12]}"
    _ACTIONS[name] = action
    return name
