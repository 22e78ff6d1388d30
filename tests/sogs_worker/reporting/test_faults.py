"""What nobody has expected becomes one sentence, with an exit code that says whether a retry may help."""

from __future__ import annotations

import pytest
import torch

from sogs_worker.errors import BadInputError
from sogs_worker.reporting.faults import as_worker_error

FAULTS = {
    "ours": (BadInputError("no scene"), 65, "no scene"),
    "the GPU's memory": (torch.OutOfMemoryError("CUDA out of memory."), 82, "does not fit the memory of the GPU"),
    "memory": (MemoryError(), 70, "ran out of memory"),
    "a full disk": (OSError(28, "No space left on device", "/x/part"), 74, "/x/part: No space left on device"),
    "a nameless file": (OSError(28, "No space left on device"), 74, "/scratch: No space left on device"),
    "anything": (IndexError("list index out of range"), 70, "IndexError: list index out of range"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_a_sentence_with_an_exit_code(name: str) -> None:
    error, code, words = FAULTS[name]
    fault = as_worker_error(error, "/scratch")
    assert fault.exit_code == code
    assert words in str(fault)
