"""What tests of stores share: a machine without its own AWS set-up, and an ear for secrets in all that is printed."""

from __future__ import annotations

import logging
import re
import ssl
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.proxy import FaultProxy
from faults.web import OTHER_SECRET, SECRET, Web, make_identity, running_web
from s3_server import S3Server

SDK_LOGGERS = ("botocore", "boto3", "urllib3")
SIGNATURE = re.compile(r"X-Amz-Signature|X-Amz-Credential|Signature=[0-9a-f]{16}|AWS4-HMAC", re.IGNORECASE)


@pytest.fixture(autouse=True)
def _no_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep this machine's own AWS set-up and proxy out."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


@pytest.fixture(autouse=True)
def _secrets_stay_secret(
    request: pytest.FixtureRequest,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    """Search all that a test prints, logs at any level, or raises as an error with its causes."""
    if not {"s3", "web"} & set(request.fixturenames):
        yield
        return
    secrets = [SECRET, OTHER_SECRET] if "web" in request.fixturenames else []
    if "s3" in request.fixturenames:
        server: S3Server = request.getfixturevalue("s3")
        identities = (server.admin, server.reader, server.gardener)
        secrets += [key for who in identities for key in (who.access_key, who.secret_key)]
    caplog.set_level(logging.DEBUG)
    for name in SDK_LOGGERS:  # of the tests' own client too, which no store has quieted; see test_s3.py for the store's
        logging.getLogger(name).setLevel(logging.CRITICAL)
    raised: list[BaseException] = []
    watch_errors(monkeypatch, raised)
    yield
    logged = [record.getMessage() for phase in ("setup", "call") for record in caplog.get_records(phase)]
    printed = [*capfd.readouterr(), *logged, *("".join(traceback.format_exception(error)) for error in raised)]
    printed += [repr(cause) for error in raised for cause in causes(error)]
    for text in printed:
        assert not [secret for secret in secrets if secret in text], "a secret was shown"
        assert not SIGNATURE.search(text), "a signature was shown"


def watch_errors(monkeypatch: pytest.MonkeyPatch, raised: list[BaseException]) -> None:
    """Keep every error of ours that is made."""
    from sogs_worker.errors import WorkerError

    def remember(error: WorkerError, *arguments: object) -> None:
        Exception.__init__(error, *arguments)
        raised.append(error)

    monkeypatch.setattr(WorkerError, "__init__", remember)


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Give an error and all that it was raised from or during, those that a traceback suppresses too."""
    if error is not None:
        yield error
        yield from causes(error.__cause__)
        yield from causes(error.__context__)


@pytest.fixture(scope="session")
def identity(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, ssl.SSLContext]:
    """Make what a web server with TLS needs: a folder with a CA, the CA, and a context that it has signed."""
    folder = tmp_path_factory.mktemp("authority")
    return folder, *make_identity(folder)


@pytest.fixture
def web(identity: tuple[Path, str, ssl.SSLContext]) -> Iterator[Web]:
    """Run a web server with TLS."""
    with running_web(*identity) as running:
        yield running


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[FaultProxy]:
    """Run a proxy that forwards until it is given rules."""
    with FaultProxy(s3.endpoint) as running:
        yield running
