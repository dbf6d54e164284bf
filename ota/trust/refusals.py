"""What python-tuf raises, in the words and codes of this project.

Its texts may quote what a server sent, so none is passed on: the role and the kind say enough.
"""

from __future__ import annotations

from datetime import datetime

from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    SlowRetrievalError,
    UnsignedMetadataError,
)

from ota.errors import OtaError, Reason, TransferError, TrustError
from ota.trust.clock import expired

_KINDS: tuple[tuple[type[Exception], str], ...] = (
    (UnsignedMetadataError, "too few valid signatures"),
    (BadVersionNumberError, "not the version it should be, or older than one seen before"),
    (LengthOrHashMismatchError, "not the file that was signed"),
    (DownloadLengthMismatchError, "larger than it may be"),
    (RepositoryError, "not valid metadata"),
)


def refusal(
    error: RepositoryError | DownloadError,
    what: str,
    now: datetime,
    witness: datetime | None,
    mismatch: Reason = Reason.UNTRUSTED,
) -> OtaError:
    """The error to raise instead.

    Args:
        what: the role or target that was asked for.
        now: what this device's clock says.
        witness: what the server's clock says.
        mismatch: the reason when bytes are not those that were signed.
    """
    if isinstance(error, ExpiredMetadataError):
        return expired(what, now, witness)
    if isinstance(error, SlowRetrievalError):
        return TransferError(Reason.TOO_SLOW, f"{what}: came too slowly")
    if isinstance(error, DownloadHTTPError) and error.status_code < 500:
        return TransferError(Reason.REFUSED, f"{what}: the server says {error.status_code}")
    words = next((text for kind, text in _KINDS if isinstance(error, kind)), None)
    if words is None:
        return TransferError(Reason.UNREACHABLE, f"{what}: the server cannot be reached")
    wrong = isinstance(error, LengthOrHashMismatchError | DownloadLengthMismatchError)
    return TrustError(mismatch if wrong else Reason.UNTRUSTED, f"{what}: {words}")
