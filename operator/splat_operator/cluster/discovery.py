"""Does the API server know the resource, and Kueue's Workloads?"""

from __future__ import annotations

import asyncio
import logging

from splat_operator.api.names import PLURAL
from splat_operator.cluster.connection import FORBIDDEN, NOT_FOUND, ApiError, Connection
from splat_operator.cluster.paths import API_GROUPS, QUEUE_GROUP, RESOURCE_API, WORKLOADS, collection

INTERVAL_S = 2.0
QUEUE_INTERVAL_S = 15.0
"""Kueue may be installed at any time, or never."""

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


async def wait_for_queues(connection: Connection, namespace: str | None) -> str:
    """Wait until Kueue's Workloads can be listed there, or everywhere; returns the path of their API."""
    while True:
        try:
            if api := await _find_queues(connection, namespace):
                return api
        except ApiError as error:
            if error.code not in (FORBIDDEN, NOT_FOUND):
                logger.warning("Kueue's Workloads cannot be listed: %s", error)
        await asyncio.sleep(QUEUE_INTERVAL_S)


async def _find_queues(connection: Connection, namespace: str | None) -> str | None:
    """The API's path, None without Kueue. Raises ApiError where its Workloads cannot be listed (yet)."""
    groups = {group["name"]: group for group in (await connection.get(API_GROUPS))["groups"]}
    if QUEUE_GROUP not in groups:
        return None
    api = f"{API_GROUPS}/{groups[QUEUE_GROUP]['preferredVersion']['groupVersion']}"
    await connection.get(collection(WORKLOADS, namespace, api=api), {"limit": "1"})
    return api
