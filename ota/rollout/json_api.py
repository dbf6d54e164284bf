"""One server's JSON interface: who we are to it, and nobody else is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from ota.errors import Reason, TransferError
from ota.rollout.web import Answer, Web

BUSY = (409, 429)
MAX_RETRY_AFTER_S = 86400.0
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_HEADERS = {"Accept": "application/json", "User-Agent": "linnet-ota"}


class Document(BaseModel):
    """What a server sent. Fields that we do not use are ignored, as servers ignore ours."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


D = TypeVar("D", bound=Document)


def read(model: type[D], body: bytes) -> D:
    """Read a document.

    Raises:
        TransferError: it is not one; says where, not what.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        place = ".".join(map(str, error.errors(include_input=False)[0]["loc"]))[:80]
        raise TransferError(
            Reason.UNREACHABLE, f"the server sent no {model.__name__}: {place or 'its top'}"
        ) from None


def safe_address(url: str) -> str:
    """The address without a slash at its end.

    Raises:
        ValueError: plain http to another machine, to which no token may be sent.
    """
    scheme, host, _ = _origin(url)
    if not (scheme == "https" and host) and not (scheme == "http" and host in _LOOPBACK):
        raise ValueError("the update server's address must begin with https://")
    return url.rstrip("/")


class JsonApi:
    """Requests to one origin with one authorization; a link to another origin is refused."""

    def __init__(self, url: str, authorization: str | None, web: Web) -> None:
        self._origin = _origin(safe_address(url))
        self._headers = dict(_HEADERS)
        if authorization is not None:
            self._headers["Authorization"] = authorization
        self._web = web
        self.retry_after_s: float | None = None
        """What the last answer asked us to wait, where it was a refusal for now."""

    def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """One request.

        Raises:
            TransferError: no answer, or the URL leads to another host.
        """
        if _origin(url) != self._origin:
            raise TransferError(
                Reason.REFUSED, "the server links to another host; check its forward headers"
            )
        answer = self._web.request(method, url, {**self._headers, **(headers or {})}, body)
        busy = answer.status in BUSY or answer.status >= 500
        self.retry_after_s = _retry_after(answer) if busy else None
        return answer

    def send(self, method: str, url: str, body: Mapping[str, Any]) -> Answer:
        """As ``ask``, with a JSON body."""
        data = json.dumps(body).encode()
        return self.ask(method, url, {"Content-Type": "application/json"}, data)


def expect(answer: Answer, *statuses: int) -> Answer:
    """The answer, if it has one of these statuses; 2xx by default.

    Raises:
        TransferError: another one.
    """
    if answer.status in statuses or (not statuses and 200 <= answer.status < 300):
        return answer
    if answer.status in BUSY:
        raise TransferError(Reason.UNREACHABLE, f"the server is busy ({answer.status})")
    reason = Reason.REFUSED if 400 <= answer.status < 500 else Reason.UNREACHABLE
    raise TransferError(reason, f"the server answers {answer.status}")


def _origin(url: str) -> tuple[str | None, str | None, int | None]:
    try:
        # The parser of whoever sends: two that read an address differently could be played off.
        found = parse_url(url)
    except LocationParseError:
        return None, None, None
    port = found.port or {"https": 443, "http": 80}.get(found.scheme or "")
    return found.scheme, found.host, port


def _retry_after(answer: Answer) -> float | None:
    text = answer.headers.get("retry-after", "")
    seconds = text.isascii() and text.isdecimal() and len(text) < 10
    return min(float(text), MAX_RETRY_AFTER_S) if seconds else None
