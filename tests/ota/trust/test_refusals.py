"""Each way in which nothing trustworthy comes has its code; no foreign word gets into the text."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest
from tuf.api.exceptions import DownloadError, DownloadHTTPError, RepositoryError, SlowRetrievalError
from tuf.api.serialization import DeserializationError

from ota.errors import OtaError, Reason, StoreError, TransferError
from ota.storage import Disk
from ota.trust.refusals import refusal
from tests.support.update_repository import START, A, Device, UpdateRepository


@pytest.fixture
def repository() -> UpdateRepository:
    found = UpdateRepository()
    found.release(A, "1.0", 1)
    found.publish(A)
    return found


def raising(error: Exception) -> Iterator[bytes]:
    yield b"{"
    raise error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SlowRetrievalError("x"), Reason.TOO_SLOW),
        (DownloadError("x"), Reason.UNREACHABLE),
        (DownloadHTTPError("x", 503), Reason.UNREACHABLE),
        (DownloadHTTPError("x", 403), Reason.REFUSED),
    ],
)
def test_a_transfer_that_fails_says_how(
    error: Exception, reason: Reason, repository: UpdateRepository, tmp_path: Path
) -> None:
    device = Device(tmp_path, repository)
    repository.served["metadata/timestamp.json"] = raising(error)
    with pytest.raises(TransferError, match=r"^timestamp: ") as caught:
        device.poll()
    assert caught.value.reason is reason
    repository.serve()
    device.poll()


class WornDisk(Disk):
    """Refuses to write, with this error."""

    def __init__(self, code: int) -> None:
        self.code = code

    def write(self, path: Path, data: bytes) -> None:
        raise OSError(self.code, "refused", str(path))


@pytest.mark.parametrize(
    ("code", "reason"), [(errno.ENOSPC, Reason.NO_ROOM), (errno.EROFS, Reason.DISK)]
)
def test_a_disk_that_refuses_is_named(
    code: int, reason: Reason, repository: UpdateRepository, tmp_path: Path
) -> None:
    device = Device(tmp_path, repository)
    device.poll()
    repository.publish(A)
    device.disk = WornDisk(code)
    with pytest.raises(StoreError) as caught:
        device.poll()
    assert caught.value.reason is reason
    device.disk = None
    device.poll()


def test_what_a_server_wrote_is_not_repeated() -> None:
    said = "open the door"
    for error in (RepositoryError(said), DeserializationError(said), DownloadError(said)):
        found = refusal(error, "timestamp", START, None)
        assert isinstance(found, OtaError)
        assert said not in str(found)
