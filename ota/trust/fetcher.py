"""Fetching small signed files: bounded in bytes and time, over HTTP(S), never into a cache on disk.

Python-tuf's own fetcher waits for each byte at most so long, but for ever for all of them, and
follows a redirect to any scheme. This one wants a least rate, of an answer's head too, and keeps
HTTPS where it began.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import urllib3
from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    SlowRetrievalError,
)
from tuf.ngclient import FetcherInterface
from urllib3.response import BaseHTTPResponse

from ota.deadline import answered, watched
from ota.pools import Pools, redirected

BLOCK = 2**14
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True)
class Limits:
    """How long one file may take."""

    gap_s: float = 20
    """Longest wait for the connection, and between two pieces."""
    grace_s: float = 20
    """No rate is asked for before this; and longest wait for the head of an answer."""
    least_bytes_per_s: float = 1024
    """Of the whole file so far, after the grace."""
    whole_s: float = 90
    """Longest time for a file, however fast it comes: a file of 5 MB at the least rate would hold
    its caller for more than an hour."""
    redirects: int = 3

    def too_slow(self, seconds: float, received: int) -> bool:
        """Whether ``received`` bytes in ``seconds`` are below the least rate, or too late."""
        due = (seconds - self.grace_s) * self.least_bytes_per_s
        return received < due or seconds > self.whole_s


class BoundedFetcher(FetcherInterface):
    """Python-tuf's fetcher interface over urllib3. Proxies are taken from the environment."""

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        ca_file: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            ca_file: certificates that an HTTPS server is held against, instead of the system's.
            clock: monotonic seconds.
        """
        self.limits = limits or Limits()
        self.date: datetime | None = None
        """What the server's clock said last, unverified."""
        self._clock = clock
        self._pools = Pools(ca_file)

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """As the interface says; in memory, for every caller bounds ``max_length``."""
        data = bytearray()
        for piece in self.fetch(url):
            data += piece
            if len(data) > max_length:
                raise DownloadLengthMismatchError(f"more than {max_length} bytes")
        return bytes(data)

    def _fetch(self, url: str) -> Iterator[bytes]:
        started = self._clock()
        try:
            response = answered(
                lambda: self._open(url), self.limits.grace_s, late=lambda late: late.close()
            )
        except TimeoutError as error:
            raise SlowRetrievalError("no answer in time") from error
        except urllib3.exceptions.MaxRetryError as error:
            if isinstance(error.reason, urllib3.exceptions.ReadTimeoutError):
                raise SlowRetrievalError("no answer in time") from error
            raise DownloadError("cannot be reached") from error
        except urllib3.exceptions.TimeoutError as error:
            raise SlowRetrievalError("no answer in time") from error
        except urllib3.exceptions.HTTPError as error:
            raise DownloadError("cannot be reached") from error
        if response.status != 200:
            response.close()
            raise DownloadHTTPError(f"status {response.status}", response.status)
        self.date = _date(response)
        return self._pieces(response, started)

    def _open(self, url: str) -> BaseHTTPResponse:
        for _ in range(self.limits.redirects + 1):
            response = self._pools.of(url).request(
                "GET",
                url,
                # Encoded bodies would be unpacked by us: a bomb, and never what was hashed.
                headers={"Accept-Encoding": "identity", "User-Agent": "linnet"},
                preload_content=False,
                redirect=False,
                timeout=urllib3.Timeout(connect=self.limits.gap_s, read=self.limits.gap_s),
                # A Retry-After would make it read a refusal to its end, which may never come.
                retries=urllib3.Retry(
                    connect=2,
                    read=0,
                    redirect=0,
                    status=0,
                    other=0,
                    respect_retry_after_header=False,
                ),
            )
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or not location:
                return response
            response.close()
            target = redirected(url, location)
            if target is None:
                raise DownloadError("redirected to where it must not lead")
            url = target
        raise DownloadError(f"more than {self.limits.redirects} redirects")

    def _pieces(self, response: BaseHTTPResponse, started: float) -> Iterator[bytes]:
        received, ended = 0, False
        try:
            with watched(response, self.limits.gap_s) as reading:
                # read1 gives what has come; read would wait for a full block, byte for byte.
                while piece := reading(lambda: response.read1(BLOCK, decode_content=False)):
                    received += len(piece)
                    if self.limits.too_slow(self._clock() - started, received):
                        raise SlowRetrievalError(f"{received} bytes came too slowly")
                    yield piece
            ended = True
        except (urllib3.exceptions.TimeoutError, TimeoutError) as error:
            raise SlowRetrievalError("stalled") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise DownloadError("broke off") from error
        finally:
            if ended:
                response.release_conn()
            else:
                response.close()


def _date(response: BaseHTTPResponse) -> datetime | None:
    try:
        found = parsedate_to_datetime(response.headers.get("Date", ""))
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else None
