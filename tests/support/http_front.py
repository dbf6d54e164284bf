"""HTTP/1.1 in front of a double: thousands of kept connections in one thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping

from tests.support.ddi_double import Reply

Handle = Callable[[str, str, Mapping[str, str], bytes], Reply]
MAX_BODY = 2**20
_BACKLOG = 4096


@contextlib.contextmanager
def serving(handle: Handle) -> Iterator[str]:
    """The origin (``http://127.0.0.1:port``) at which ``handle`` answers, from a thread."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(
        asyncio.start_server(_Connection(handle), "127.0.0.1", 0, backlog=_BACKLOG)
    )
    port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, name="http-front", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _stop(server: asyncio.Server) -> None:
    server.close()
    here = asyncio.current_task()
    others = [task for task in asyncio.all_tasks() if task is not here]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class _Connection:
    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        gone = (ConnectionError, asyncio.IncompleteReadError, ValueError, asyncio.CancelledError)
        with contextlib.suppress(*gone):
            while await self._one(reader, writer):
                pass
        with contextlib.suppress(ConnectionError):
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        body = await reader.readexactly(min(int(headers.get("content-length", "0")), MAX_BODY))
        if path.startswith("http://"):  # as to a proxy
            path = "/" + path.split("/", 3)[3]
        reply = self._handle(method, path, headers, body)
        writer.write(_wire(reply, method))
        await writer.drain()
        return headers.get("connection", "").lower() != "close"


def _wire(reply: Reply, method: str) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} x", f"Content-Length: {len(reply.body)}"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    head = "\r\n".join(lines).encode() + b"\r\n\r\n"
    return head if method == "HEAD" or reply.status == 304 else head + reply.body
