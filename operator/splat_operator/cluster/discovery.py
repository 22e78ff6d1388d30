"""Does the API server know the resource?"""

from __future__ import annotations

import asyncio
import logging

from splat_operator.api.names import PLURAL
from splat_operator.cluster.connection import ApiError, Connection
from splat_operator.cluster.paths import RESOURCE_API

INTERVAL_S = 2.0

logger = logging.getLogger(__name__)


async def wait_until_served(connection: Connection) -> None:
    """Wait for the CRD, which may be installed together with the operator: kopf looks for it only once."""
    told = None
    while problem := await _problem(connection):
        if problem != told:
            logger.warning("%s; waiting", problem)
        told = problem
        await asyncio.sleep(INTERVAL_S)


async def _problem(connection: Connection) -> str | None:
    try:
        listed = await connection.get(RESOURCE_API)
    except ApiError as error:
        if error.code != 404:
            return f"The API server refuses {RESOURCE_API}: {error}"
        listed = {"resources": []}
    is_served = any(resource["name"] == PLURAL for resource in listed["resources"])
    return None if is_served else f"{RESOURCE_API} has no {PLURAL}: apply the CRD"
