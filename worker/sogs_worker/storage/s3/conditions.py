"""Whether a server honours conditions on writes. Some take the headers and ignore them."""

from __future__ import annotations

import contextlib
import logging
import uuid
from typing import Any

from botocore.exceptions import ClientError

from sogs_worker.storage.base import Condition, IfAbsent
from sogs_worker.storage.s3.errors import is_not_implemented
from sogs_worker.storage.transfer.retry import Budget

LOGGER = logging.getLogger(__name__)


def condition_arguments(condition: Condition | None) -> dict[str, str]:
    """Name the condition as the SDK does."""
    if condition is None:
        return {}
    return {"IfNoneMatch": "*"} if isinstance(condition, IfAbsent) else {"IfMatch": condition.etag}


def honours_conditions(client: Any, bucket: str, key: str, budget: Budget, server: str) -> bool:
    """Create an object beside `key` twice: where the second try succeeds too, conditions are ignored.

    Returns:
        Whether they are honoured. True as well where the try is refused for another reason, which may be its name.
    """
    # A name of its own: of two runs that try at once, neither must remove the other's.
    place = {"Bucket": bucket, "Key": f"{key}.probe-{uuid.uuid4().hex[:8]}"}
    try:
        for _ in range(2):
            budget.run(lambda: client.put_object(**place, Body=b"", IfNoneMatch="*"))
    except ClientError as error:
        ignored = is_not_implemented(error)
    else:
        ignored = True
    finally:
        with contextlib.suppress(Exception):  # an empty object with a telling name is no reason to fail
            client.delete_object(**place)
    if ignored:
        LOGGER.warning("%s ignores conditions on writes: give runs that may overlap different destinations", server)
    return not ignored
