"""The road between our client and the double without a socket, which a test may break."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from ota.errors import Reason, TransferError
from ota.rollout.web import Answer
from tests.support.ddi_double import DdiDouble


class DdiWeb:
    """A ``Web``. ``fails`` is asked before each request: lose it, or the answer to it?"""

    def __init__(self, double: DdiDouble) -> None:
        self.double = double
        self.asked: list[tuple[str, str]] = []
        self.tokens: list[str | None] = []
        self.loses_request: Callable[[], bool] = lambda: False
        self.loses_answer: Callable[[], bool] = lambda: False

    def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        self.asked.append((method, path))
        self.tokens.append(headers.get("Authorization"))
        if self.loses_request():
            raise TransferError(Reason.UNREACHABLE, "lost on the way")
        lower = {name.lower(): value for name, value in headers.items()}
        reply = self.double.handle(method, path, lower, body or b"")
        if self.loses_answer():
            raise TransferError(Reason.UNREACHABLE, "lost on the way back")
        answered = {name.lower(): value for name, value in reply.headers.items()}
        return Answer(reply.status, answered, reply.body)
