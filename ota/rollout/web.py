"""Small JSON requests to a control plane, bounded in size and time. Payloads go another way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Protocol

import urllib3

from ota.deadline import answered, cuttable
from ota.errors import Reason, TransferError

MAX_BODY_BYTES = 2**20
GAP_S = 30.0
"""Longest wait for the next bytes."""
TOTAL_S = 60.0
"""Longest wait for an answer in all, however steadily it drips."""
_CHUNK = 2**14


@dataclass(frozen=True)
class Answer:
    """What came back; header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Web(Protocol):
    """Whoever asks servers."""

    def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        """One request, one answer, whatever its status.

        Raises:
            TransferError: nothing usable came back.
        """


@dataclass(frozen=True)
class Identity:
    """PEM files for TLS, where the system's own are not meant."""

    ca_file: str | None = None
    certificate: str | None = None
    key: str | None = None


class HttpWeb:
    """The real network. Follows no redirect and repeats nothing by itself."""

    def __init__(self, identity: Identity | None = None, *, total_s: float = TOTAL_S) -> None:
        """Args: total_s: longest answer in all."""
        identity = identity or Identity()
        self._total_s = total_s
        self._pool = cuttable(
            urllib3.PoolManager(
                num_pools=4,
                retries=False,
                timeout=urllib3.Timeout(connect=10.0, read=GAP_S),
                ca_certs=identity.ca_file,
                cert_file=identity.certificate,
                key_file=identity.key,
            )
        )

    def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        try:
            return answered(lambda: self._asked(method, url, headers, body), self._total_s)
        except (urllib3.exceptions.HTTPError, HTTPException, OSError) as error:
            raise TransferError(
                Reason.UNREACHABLE, f"{method} {_plain(url)}: {type(error).__name__}"
            ) from error

    def _asked(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        answer = self._pool.request(
            method, url, headers=headers, body=body, preload_content=False, redirect=False
        )
        try:
            return Answer(answer.status, _lower(answer.headers), _read(answer, method, url))
        finally:
            answer.release_conn()


def _read(answer: urllib3.BaseHTTPResponse, method: str, url: str) -> bytes:
    body = bytearray()
    for chunk in answer.stream(_CHUNK):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            answer.close()
            raise TransferError(Reason.UNREACHABLE, f"{method} {_plain(url)}: endless answer")
    return bytes(body)


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _plain(url: str) -> str:
    return url.partition("?")[0][:200]
