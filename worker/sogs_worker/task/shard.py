"""Which part of a run one pod of an Indexed Job does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sogs_worker.errors import UsageError
from sogs_worker.task.hidden import hidden_home

INDEX, RUN_ID = "JOB_COMPLETION_INDEX", "SPLATS_RUN_ID"


@dataclass(frozen=True)
class Shard:
    """One pod's part.

    Attributes:
        index: of this part, from 0; the same for all attempts at it.
        count: of parts.
        run_id: names the Job, the same for all its pods.
    """

    index: int
    count: int
    run_id: str

    def run_folder(self, manifest_key: str) -> str:
        """Name the hidden folder that all pods of the Job share."""
        return f"{hidden_home(manifest_key)}{self.run_id}/"

    def part_key(self, manifest_key: str, index: int) -> str:
        """Name the hidden object in which a pod of the Job says what it has published."""
        return f"{self.run_folder(manifest_key)}part-{index}.json"

    def own_folder(self, manifest_key: str) -> str:
        """Name the hidden folder of all attempts at this part."""
        return f"{self.run_folder(manifest_key)}{self.index}/"


def is_part(name: str) -> bool:
    """Say whether an object's name, without its folder, is one that `Shard.part_key` gives."""
    return re.fullmatch(r"part-[0-9]+\.json", name) is not None


def parse_shard(count: int | None, environment: Mapping[str, str]) -> Shard | None:
    """Read which part this pod does; None where the run is not divided.

    Raises:
        UsageError: the count is less than 2, or the environment does not say which part of which Job.
    """
    if count is None:
        return None
    if count < 2:
        raise UsageError(f"shards is {count}, it must be 2 or more; leave it out for one pod")
    index, run_id = environment.get(INDEX, ""), environment.get(RUN_ID, "")
    if not re.fullmatch("[0-9]{1,9}", index) or int(index) >= count:
        raise UsageError(f"{INDEX} must be from 0 to {count - 1}, got {index!r}; run the shards as an Indexed Job")
    if not re.fullmatch("[A-Za-z0-9-]{1,63}", run_id):
        raise UsageError(f"{RUN_ID} must be the Job's UID, got {run_id!r}; set it from the pod's controller-uid label")
    return Shard(int(index), count, run_id)
