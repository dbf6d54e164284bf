"""One MQTT connection that heals itself and never repeats a command.

Workflow: ``start`` returns at once and keeps trying; ``wait_connected`` tells why it does not
work yet; after each reconnect every remembered filter is subscribed again.

Threads: paho owns one network thread. ``on_message`` and ``on_state`` run on it, so they must be
quick and must not call ``stop``. Every method may be called from any thread.

MQTT 5 is spoken where the broker does, because only then it says that it does not let a message
through. A broker that has never answered in it is spoken to in 3.1.1 from then on, when it refuses
it, answers in another, or hangs up on it twice in a row. A refused password is an answer.

Limits: QoS 1, clean sessions. A message that was not acknowledged when the connection broke is
dropped, not sent late: a lamp must not move minutes after it was asked to. What the broker keeps
us from hearing is told only by brokers that refuse the subscription.
"""

from __future__ import annotations

import logging
import os
import socket
import ssl
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from services.home.denied import Denied

log = logging.getLogger(__name__)

QOS = 1
UNSUPPORTED_VERSION = 132
UNREADABLE = 130
"""What paho says where the broker's answer is not one of MQTT 5."""
HANG_UPS = 2
"""In a row without a word: one may be a broker that was just starting, or a cable."""
MAX_PAYLOAD_BYTES = 256 * 1024
"""Anything larger is dropped before it is parsed."""
MAX_QUEUED = 512
"""Messages that may wait for the broker's acknowledgement."""
FILTERS_PER_PACKET = 100
RETRY_S = (1, 15)
"""First and longest pause between two attempts to connect; it doubles in between."""
CONNECT_TIMEOUT_S = 5.0


class BrokerError(Exception):
    """The broker cannot be used; the text says what and where, never a password."""


class BrokerUnreachable(BrokerError):
    """No connection to the broker now."""


class BrokerRefused(BrokerError):
    """One of us said no: wrong credentials, or a certificate that is not to be trusted."""


class PublishFailed(BrokerError):
    """The message was not taken: too many are waiting, or the topic is malformed."""


class LinkState(Enum):
    STOPPED = "stopped"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    REFUSED = "refused"


@dataclass(frozen=True)
class BrokerAddress:
    """Where the broker is and who we are to it."""

    host: str = "127.0.0.1"
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    """PEM file of the authority to trust; None speaks plain TCP."""
    version: Literal["5", "3.1.1"] = "5"
    """Of MQTT; the older one is tried by itself where the newer is refused."""
    keepalive_s: int = 30


@dataclass(frozen=True)
class Message:
    topic: str
    payload: bytes
    retained: bool
    """Sent from the broker's memory rather than by a device just now."""


class BrokerLink:
    """A connection with a last will: ``status_topic`` holds ``online`` or ``offline``, retained."""

    def __init__(
        self,
        address: BrokerAddress,
        on_message: Callable[[Message], None],
        on_state: Callable[[LinkState], None] = lambda state: None,
        *,
        name: str = "linnet",
        status_topic: str | None = None,
        large: Mapping[str, int] | None = None,
        read_qos: int = QOS,
        on_answered: Callable[[str, bool], None] = lambda topic, allowed: None,
    ) -> None:
        """
        Args:
            large: topics on which more than ``MAX_PAYLOAD_BYTES`` are read, and how many.
            read_qos: 0 for who may miss a message: a broker holds at most so many back for QoS 1
                (mosquitto: 1 000) and drops the rest, retained ones of a large fleet among them.
            on_answered: told the topic of each message that the broker has taken and whether it
                lets it through (in 3.1.1 it always says so), on the network thread or, before
                ``publish`` returns, on its caller's. Not told of ``status_topic``.
        """
        self.address = address
        self._read_qos = read_qos
        self._on_answered = on_answered
        self._denied = Denied(f"{address.host}:{address.port}")
        self._large = dict(large or {})
        self._on_message = on_message
        self._on_state = on_state
        self._status_topic = status_topic
        self._changed = threading.Condition()
        self._state = LinkState.STOPPED
        self._why = "not started"
        self._running = False
        self._filters: dict[str, None] = {}
        self._oversized: set[str] = set()
        self._swapping = threading.Lock()
        newer = address.version == "5"
        self._protocol = MQTTProtocolVersion.MQTTv5 if newer else MQTTProtocolVersion.MQTTv311
        self._settled = not newer
        """Whether it is known which protocol the broker speaks."""
        self._hang_ups = 0
        # A name of its own per process: brokers close the older of two equal client ids.
        self._id = f"{name}-{os.getpid()}-{os.urandom(4).hex()}"
        self._client = self._make_client()

    @property
    def state(self) -> LinkState:
        return self._state

    @property
    def connected(self) -> bool:
        return self._state is LinkState.CONNECTED

    def start(self) -> None:
        """Begin connecting in the background; never raises for a broker that is not there."""
        self._running = True
        self._set(LinkState.CONNECTING, "no answer yet")
        self._begin()

    def _begin(self) -> None:
        self._client.connect_async(
            self.address.host, self.address.port, keepalive=self.address.keepalive_s
        )
        self._client.loop_start()

    def wait_connected(self, timeout_s: float) -> None:
        """Block until connected.

        Raises:
            BrokerRefused: the broker said no, or showed no certificate of our authority.
            BrokerUnreachable: nothing usable within ``timeout_s``.
        """
        done = (LinkState.CONNECTED, LinkState.REFUSED)
        with self._changed:
            self._changed.wait_for(lambda: self._state in done, timeout_s)
            state, why = self._state, self._why
        where = f"{self.address.host}:{self.address.port}"
        if state is LinkState.REFUSED:
            raise BrokerRefused(f"MQTT broker {where} {why}")
        if state is not LinkState.CONNECTED:
            raise BrokerUnreachable(f"no MQTT broker at {where}: {why}")

    def stop(self) -> None:
        """Say ``offline``, disconnect, end the network thread."""
        if self._status_topic and self.connected:
            info = self._say(self._client, self._status_topic, b"offline")
            try:
                info.wait_for_publish(1.0)
            except (RuntimeError, ValueError):
                log.debug("the farewell was not taken; the last will stands in for it")
        self._set(LinkState.STOPPED, "stopped")
        self._running = False
        with self._swapping:
            self._client.disconnect()
            _end(self._client)

    def subscribe(self, filters: Iterable[str]) -> None:
        """Remember the filters; subscribe now if connected, and after each reconnect.

        Subscribing to a filter again is useful: the broker sends its retained messages anew.
        """
        wanted = list(filters)
        with self._changed:
            self._filters.update(dict.fromkeys(wanted))
        if self.connected:
            self._send_subscriptions(wanted)

    def unsubscribe(self, filters: Iterable[str]) -> None:
        with self._changed:
            gone = [f for f in filters if f in self._filters]
            for one in gone:
                del self._filters[one]
        if gone and self.connected:
            self._client.unsubscribe(gone)

    def publish(self, topic: str, payload: bytes) -> None:
        """Send a command: QoS 1, never retained.

        Raises:
            BrokerUnreachable: not connected; nothing will be sent later either.
            PublishFailed: the queue is full or the topic is malformed.
        """
        self._publish(topic, payload, retain=False)

    def publish_state(self, topic: str, payload: bytes) -> None:
        """Publish something about ourselves that stays true: retained. Raises as ``publish``."""
        self._publish(topic, payload, retain=True)

    def _publish(self, topic: str, payload: bytes, *, retain: bool) -> None:
        if not self.connected:
            raise BrokerUnreachable(f"not connected to the MQTT broker: {self._why}")
        try:
            info = self._client.publish(topic, payload, QOS, retain=retain)
            rc = info.rc
        except ValueError as error:
            raise PublishFailed(f"cannot publish: {error}") from error
        if rc == MQTTErrorCode.MQTT_ERR_NO_CONN:
            raise BrokerUnreachable("the connection to the MQTT broker has just broken")
        if rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise PublishFailed(f"cannot publish: {paho.error_string(rc)}")
        allowed = self._denied.published(info.mid, topic)
        if allowed is not None:
            self._answered(topic, allowed)

    def _say(self, client: paho.Client, topic: str, status: bytes) -> paho.MQTTMessageInfo:
        info = client.publish(topic, status, QOS, retain=True)
        self._denied.published(info.mid, topic)
        return info

    def _answered(self, topic: str, allowed: bool) -> None:
        if topic != self._status_topic:
            self._guarded(lambda: self._on_answered(topic, allowed))

    # --- paho's thread -----------------------------------------------------------------------

    def _make_client(self) -> paho.Client:
        clean = None if self._protocol is MQTTProtocolVersion.MQTTv5 else True
        client = paho.Client(
            CallbackAPIVersion.VERSION2, self._id, clean_session=clean, protocol=self._protocol
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.reconnect_delay_set(*RETRY_S)
        client.max_queued_messages_set(MAX_QUEUED)
        if self.address.username is not None:
            client.username_pw_set(self.address.username, self.address.password)
        if self.address.ca_file is not None:
            client.tls_set(ca_certs=self.address.ca_file)
        if self._status_topic:
            client.will_set(self._status_topic, b"offline", QOS, retain=True)
        client.on_socket_open = _send_at_once
        client.on_connect = self._connected
        client.on_connect_fail = self._connect_failed
        client.on_disconnect = self._disconnected
        client.on_message = self._received
        client.on_publish = self._acknowledged
        client.on_subscribe = self._subscribed
        return client

    def _fell_back(self, client: paho.Client) -> bool:
        """Whether the older protocol is tried from now on: only before anything has worked."""
        if self._settled or not self._running:
            return False
        self._settled = True
        self._protocol = MQTTProtocolVersion.MQTTv311
        client.disconnect()
        threading.Thread(target=self._speak_older, name="mqtt-3.1.1", daemon=True).start()
        return True

    def _speak_older(self) -> None:
        """A thread of its own: the network thread cannot wait for its own end."""
        with self._swapping:
            _end(self._client)
            if self._running:
                self._client = self._make_client()
                self._begin()

    def _connected(
        self, client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _p: object
    ) -> None:
        # paho would resend what the old connection left unacknowledged: see the module's limits.
        client.drop_out_messages()
        self._denied.forget()
        if reason.value == UNSUPPORTED_VERSION and self._fell_back(client):
            return
        self._settled = True
        if reason.is_failure:
            self._set(LinkState.REFUSED, f"refused the connection: {str(reason).lower()}")
            return
        with self._changed:
            # One step, so that a filter added meanwhile is neither lost nor a command sent deaf.
            self._send_subscriptions(list(self._filters))
            self._state, self._why = LinkState.CONNECTED, "connected"
            self._changed.notify_all()
        if self._status_topic:
            self._say(client, self._status_topic, b"online")
        self._tell()

    def _connect_failed(self, _client: paho.Client, _data: object) -> None:
        self._hang_ups = 0
        # paho calls this while it handles the fault, and does not pass it on.
        error = sys.exc_info()[1]
        if isinstance(error, ssl.SSLCertVerificationError):
            why = error.verify_message.rstrip(".").lower()
            self._set(LinkState.REFUSED, f"shows a certificate that is not trusted: {why}")
        elif isinstance(error, ssl.SSLError):
            self._set(LinkState.CONNECTING, "it does not speak TLS, or not as we do")
        else:
            self._set(LinkState.CONNECTING, "it cannot be reached")

    def _disconnected(
        self,
        client: paho.Client,
        _data: object,
        _flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        client.drop_out_messages()
        self._hang_ups += 1
        # An older broker may hang up on what it cannot read, without a word.
        older = reason.value == UNREADABLE or self._hang_ups >= HANG_UPS
        if reason.is_failure and older and self._fell_back(client):
            return
        if self._state is LinkState.CONNECTED:
            self._set(LinkState.CONNECTING, f"the connection broke ({str(reason).lower()})")

    def _acknowledged(
        self, _client: paho.Client, _data: object, mid: int, reason: ReasonCode, _p: object
    ) -> None:
        answer = self._denied.acknowledged(mid, reason)
        if answer is not None:
            self._answered(*answer)

    def _subscribed(
        self, _client: paho.Client, _data: object, mid: int, reasons: list[ReasonCode], _p: object
    ) -> None:
        self._denied.subscribed(mid, reasons)

    def _received(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return
        if len(message.payload) > self._large.get(topic, MAX_PAYLOAD_BYTES):
            self._drop_oversized(topic, len(message.payload))
            return
        received = Message(topic, bytes(message.payload), message.retain)
        self._guarded(lambda: self._on_message(received))

    def _guarded(self, call: Callable[[], None]) -> None:
        """The edge of a daemon: a fault of ours must not end paho's thread and leave us deaf."""
        try:
            call()
        except Exception as error:  # noqa: BLE001
            # Type and place only: an exception's text may quote the payload.
            frame = traceback.extract_tb(error.__traceback__)[-1]
            log.error(
                "%s in %s at %s:%s", type(error).__name__, frame.name, frame.filename, frame.lineno
            )

    def _drop_oversized(self, topic: str, size: int) -> None:
        if topic in self._oversized or len(self._oversized) >= 100:
            return
        self._oversized.add(topic)
        log.warning(
            "dropped a message of %d bytes on %.200r: at most %d are read",
            size, topic, self._large.get(topic, MAX_PAYLOAD_BYTES),
        )  # fmt: skip

    def _send_subscriptions(self, filters: list[str]) -> None:
        for start in range(0, len(filters), FILTERS_PER_PACKET):
            some = filters[start : start + FILTERS_PER_PACKET]
            _, mid = self._client.subscribe([(f, self._read_qos) for f in some])
            self._denied.asked(mid, some)

    def _set(self, state: LinkState, why: str) -> None:
        with self._changed:
            # paho's thread may still report a failure while it is being stopped.
            changed = self._running and state is not self._state
            if self._running:
                self._state, self._why = state, why
            self._changed.notify_all()
        if changed:
            self._tell()

    def _tell(self) -> None:
        state = self._state
        told = self._why if state is LinkState.REFUSED else state.value
        log.info("MQTT broker %s:%d: %s", self.address.host, self.address.port, told)
        self._guarded(lambda: self._on_state(state))


def _end(client: paho.Client) -> None:
    """Wait for the end of the network thread of a client that was told to disconnect."""
    client.loop_stop()
    # paho leaves the sockets that wake its thread to the garbage collector, which may complain of
    # them before it comes to the client that would close them.
    client._reset_sockets(sockpair_only=True)


def _send_at_once(_client: paho.Client, _data: object, sock: Any) -> None:
    """Small packets that wait for each other's acknowledgement cost a command 50 ms."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
