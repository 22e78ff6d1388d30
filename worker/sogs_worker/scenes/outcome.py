"""What becomes of a scene: at once, or when its output has arrived."""

from __future__ import annotations

import time
import traceback
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from sogs_worker.encode.dropped import Dropped
from sogs_worker.scenes.destination import Made
from sogs_worker.source.search import PassedOver

NOTHING = Dropped()


@dataclass(frozen=True)
class Outcome:
    """What became of a scene, or of an archive that gave none.

    Attributes:
        uri: of the scene.
        seconds: from its turn to its output's arrival.
        result: the output; or that it is no scene; or the exception that there is in its place.
        dropped: splats that the output lacks.
        notes: on the scene, see `Splats`.
        is_scene: whether it is one; False for an archive, which may have had many.
    """

    uri: str
    seconds: float
    result: Made | PassedOver | Exception
    dropped: Dropped = NOTHING
    notes: tuple[str, ...] = ()
    is_scene: bool = True

    def to_record(self, made: Made, device: str) -> dict[str, Any]:
        """Describe what was made on a device as a JSON object."""
        output = made.output
        trials = [trial.to_document() for trial in output.trials] or None
        optional = {"psnr": output.rounded_psnr, "preview": output.preview_uri, "trials": trials}
        return {
            "input": self.uri,
            "output": output.uri,
            "sourceBytes": output.source_bytes,
            "bytes": output.bytes,
            "ratio": output.ratio,
            "splats": output.splats,
            "dropped": self.dropped.total,
            "removed": self.dropped.counts,
            "notes": list(self.notes),
            "seconds": round(self.seconds, 2),
            "device": device,
            **{name: value for name, value in optional.items() if value is not None},
        }


@dataclass(frozen=True)
class Step:
    """A scene whose output is being sent; as `Outcome`."""

    uri: str
    started_s: float
    made: Future[Made | PassedOver]
    dropped: Dropped = NOTHING
    notes: tuple[str, ...] = ()
    is_scene: bool = True

    def finish(self) -> Outcome:
        """Wait for it."""
        fault = self.made.exception()
        if fault is not None and not isinstance(fault, Exception):
            raise fault
        seconds = time.monotonic() - self.started_s
        return Outcome(self.uri, seconds, fault or self.made.result(), self.dropped, self.notes, self.is_scene)


def done(made: Made | PassedOver) -> Future[Made | PassedOver]:
    """Make a future of what is there already."""
    future: Future[Made | PassedOver] = Future()
    future.set_result(made)
    return future


def failed(fault: Exception) -> Future[Made | PassedOver]:
    """Make a future of what will never be there."""
    cause: BaseException | None = fault
    while cause:  # its frames still hold the scene
        traceback.clear_frames(cause.__traceback__)
        cause = cause.__cause__ or cause.__context__
    future: Future[Made | PassedOver] = Future()
    future.set_exception(fault)
    return future
