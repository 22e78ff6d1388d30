"""A client of the Kubernetes API that needs no package: what starting the cluster takes, no more."""

import json
import ssl
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any

from cluster.errors import ClusterError
from cluster.settings import API_PORT, NODE_IP

_HTTP_CONFLICT = 409
_HTTP_NOT_FOUND = 404
_HTTP_ERRORS = 400


class Api:
    """Calls the API server as the administrator.

    Args:
        authority: The CA certificate, PEM.
        token: The administrator's.
    """

    def __init__(self, authority: Path, token: str) -> None:
        self._context = ssl.create_default_context(cafile=str(authority))
        self._token = token

    def is_ready(self) -> bool:
        """True when the API server says that it may be used; False also while nothing listens."""
        try:
            status, body = self._call("GET", "/readyz")
        except (OSError, HTTPException):
            return False
        return status < _HTTP_ERRORS and body == b"ok"

    def get(self, path: str) -> Any | None:
        """The object at `path`; None when there is none."""
        status, body = self._call("GET", path)
        return None if status == _HTTP_NOT_FOUND else self._checked("GET", path, status, body)

    def create(self, path: str, document: dict[str, Any]) -> None:
        """Create an object in the collection at `path`; one that is there already stays as it is."""
        status, body = self._call("POST", path, json.dumps(document))
        if status != _HTTP_CONFLICT:
            self._checked("POST", path, status, body)

    def _checked(self, verb: str, path: str, status: int, body: bytes) -> Any:
        if status >= _HTTP_ERRORS:
            raise ClusterError(
                f"The API server refused {verb} {path} with {status}: {body.decode(errors='replace')[:300]}"
            )
        return json.loads(body)

    def _call(self, verb: str, path: str, body: str | None = None) -> tuple[int, bytes]:
        connection = HTTPSConnection(NODE_IP, API_PORT, context=self._context, timeout=10)
        try:
            connection.request(
                verb, path, body, {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
            )
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()
