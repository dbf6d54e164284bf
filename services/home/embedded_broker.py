"""A broker inside this process, for the demo: amqtt on a free loopback port, in its own thread.

Not for a real home: it keeps nothing on disk and asks nobody's name. amqtt 0.12 also sends a
connecting client the retained messages of other clients' filters; our links ignore what they do
not know.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from typing import Final

from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig
from amqtt.errors import BrokerError as AmqttError

from services.home.broker import BrokerAddress, BrokerUnreachable

_PORT_TRIES = 5
_START_TIMEOUT_S = 10.0
_NOISY = ("amqtt", "transitions")
_PLUGINS = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
"""Without the default event, packet and $SYS plugins, which log or publish all day."""


class EmbeddedBroker:
    """Start, use ``address``, stop; also a context manager."""

    VERSION: Final = "3.1.1"
    """Of MQTT: the library knows no other, and may wait for ever for the rest of a newer one."""

    def __init__(self) -> None:
        self.address = BrokerAddress()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: str | None = None

    def start(self) -> BrokerAddress:
        """Listen, and return where.

        Raises:
            BrokerUnreachable: no port could be had, or it does not come up.
        """
        _silence()
        self._thread = threading.Thread(target=self._run, name="embedded-broker", daemon=True)
        self._thread.start()
        if not self._ready.wait(_START_TIMEOUT_S):
            raise BrokerUnreachable("the embedded MQTT broker does not come up")
        if self._failure is not None:
            self._thread.join()
            raise BrokerUnreachable(f"the embedded MQTT broker cannot start: {self._failure}")
        return self.address

    def stop(self) -> None:
        """End every connection and the thread; harmless when not started."""
        if self._thread is None:
            return
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has closed already
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._thread = None

    def __enter__(self) -> EmbeddedBroker:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        broker = await self._listen()
        self._ready.set()
        if broker is not None:
            await self._stop.wait()
            await broker.shutdown()

    async def _listen(self) -> Broker | None:
        for _ in range(_PORT_TRIES):
            port = free_port()
            listener = ListenerConfig(bind=f"127.0.0.1:{port}")
            broker = Broker(BrokerConfig(listeners={"default": listener}, plugins=dict(_PLUGINS)))
            try:
                await broker.start()
            except AmqttError as error:
                # Somebody took the port between our asking and our listening.
                self._failure = str(error)
            else:
                self._failure = None
                self.address = BrokerAddress("127.0.0.1", port, version=self.VERSION)
                return broker
        return None


def free_port() -> int:
    """A loopback port that is free now; another process may take it the next moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _silence() -> None:
    """amqtt tells every packet and warns of ordinary disconnects; leave levels set by others."""
    for name in _NOISY:
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.CRITICAL)
