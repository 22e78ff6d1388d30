"""The encoder and its device, made ready: that takes seconds, in which something else can be done."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from sogs_worker.engines import require_engine
from sogs_worker.engines.device import product_name, resolve_device, start_driver
from sogs_worker.engines.parameters import Parameters
from sogs_worker.errors import NoGPUError
from sogs_worker.reporting.log import write_message
from sogs_worker.task.environment import Settings


def load_encoder(device: str, parameters: Parameters) -> str:
    """Load what takes seconds, and choose the device: `cpu` or `cuda`.

    Raises:
        UsageError, NoGPUError: see `resolve_device` and `require_engine`.
    """
    chosen = load_torch(device)
    require_engine(parameters, chosen)
    return chosen


def load_torch(device: str) -> str:
    """Load torch and choose the device; see `resolve_device`."""
    if device != "cpu":
        start_driver()
    gc.disable()  # collecting garbage among the million objects of torch's modules takes a fifth of their import
    import sogs_worker.engines.native
    import sogs_worker.scenes.compress  # noqa: F401

    gc.freeze()
    gc.enable()
    return resolve_device(device)


def load_for_job(settings: Settings, parameters: Parameters) -> str:
    """Load the encoder on the device that the Job asks for.

    Raises:
        NoGPUError: there is none, or the engine cannot do on it what it is asked for.
    """
    device = _choose_for_job(settings)
    require_engine(parameters, device)
    return device


def _choose_for_job(settings: Settings) -> str:
    """Take the device that the Job asks for; the CPU instead only where it may and the container sees no GPU at all."""
    try:
        return load_torch(settings.device)
    except NoGPUError as error:
        visible = any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()
        if visible or not settings.cpu_fallback:
            found = "the one in the container cannot be used" if visible else "the container sees none"
            raise NoGPUError(
                f"the Job asked for a GPU but {found}; check the node's driver and device plugin,"
                " or set spec.gpu.count to 0"
            ) from error
        write_message("the container sees no GPU; going on with the CPU", "warning")
        return "cpu"


class Accelerator:
    """A device that is made ready in a thread of its own, once and only if it is needed."""

    def __init__(self, asked: str, load: Callable[[], str]) -> None:
        """Describe it; nothing is loaded yet.

        Args:
            asked: `cpu` or `cuda`.
            load: makes it ready and says which one it is.
        """
        self._asked = asked
        self._load = load
        self._device: Future[str] | None = None
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The device that has worked, or the one that was asked for if none had to."""
        return self._worked or self._asked

    @property
    def product(self) -> str:
        """What people call it: a GPU that did not have to work is `cuda`, whichever it is."""
        return product_name(self._worked) if self._worked else self._asked

    @property
    def fault(self) -> BaseException | None:
        """Why there is none, once that is known."""
        device = self._device
        return device.exception() if device is not None and device.done() else None

    @property
    def _worked(self) -> str | None:
        device = self._device
        return device.result() if device is not None and device.done() and self.fault is None else None

    def prepare(self) -> Future[str]:
        """Begin to make it ready, unless that has begun."""
        with self._lock:
            if self._device is None:
                self._device = Future()
                threading.Thread(target=self._fulfil, args=[self._device], daemon=True).start()
            return self._device

    def wait(self) -> str:
        """Return the device when it is ready.

        Raises:
            NoGPUError: there is none.
        """
        return self.prepare().result()

    def _fulfil(self, device: Future[str]) -> None:
        try:
            device.set_result(self._load())
        except BaseException as error:
            device.set_exception(error)
