"""HTTP whose answers end: a body that grows beyond its bound breaks the connection.

Compressed answers are refused, for nobody knows how large they are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2


class TooLarge(httpx2.TransportError):
    """The body is larger than it may be, or hides how large it is."""


class BoundedTransport(httpx2.AsyncBaseTransport):
    """Connects directly, and counts."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._inner = httpx2.AsyncHTTPTransport(trust_env=False)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["Accept-Encoding"] = "identity"
        response = await self._inner.handle_async_request(request)
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            await response.aclose()
            raise TooLarge("the body is compressed")
        stream = response.stream
        if isinstance(stream, httpx2.AsyncByteStream):
            response.stream = _Counted(stream, self._max_bytes)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, max_bytes: int) -> None:
        self._inner, self._left = inner, max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._inner:
            self._left -= len(piece)
            if self._left < 0:
                raise TooLarge("the body is larger than it may be")
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()
