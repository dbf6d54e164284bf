"""Contents over HTTP, resumed where they were cut: carries out what ``transfer_plan`` decides.

Contents lie at ``<mirror>/<sha256>``. Nothing that identifies this device is sent: no credentials,
no cookies, the same few headers every time. What arrives is believed when its hash is right.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from ota import transfer_plan as plan
from ota.deadline import answered, shut, watched
from ota.errors import Reason, TransferError, TrustError
from ota.pools import MAX_URL, Pools, redirected
from ota.storage import BLOCK
from ota.store import Pinned, Store
from ota.transfer_rate import SlowWatch, TokenBucket

CHUNK = 2**16
USER_AGENT = "linnet"


class ContentSource(Protocol):
    """Where contents come from: mirrors, or a directory on a stick."""

    def fetch(self, pinned: Pinned, store: Store) -> Path:
        """Bring a content into the store; where it lies then.

        Raises:
            TransferError: it cannot be had, or ``cancel`` was called.
            TrustError: what was offered is not what is signed.
            OSError: the disk refuses.
        """


class Cancel:
    """Stops transfers at once, from any thread."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._interrupt: Callable[[], None] | None = None

    def cancel(self) -> None:
        """Wake whoever waits or reads."""
        with self._lock:
            self._event.set()
            if self._interrupt:
                self._interrupt()

    def wait(self, seconds: float) -> None:
        """Sleep, unless cancelled."""
        self._event.wait(seconds)

    def check(self) -> None:
        """Raises TransferError once cancelled."""
        if self._event.is_set():
            raise TransferError(Reason.CANCELLED, "cancelled")

    @contextmanager
    def interrupting(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """Inside, ``cancel`` calls ``interrupt`` from its own thread."""
        with self._lock:
            self._interrupt = interrupt
            if self._event.is_set():
                interrupt()
        try:
            yield
        finally:
            with self._lock:
                self._interrupt = None


@dataclass(frozen=True)
class Pace:
    """How fast it may go, and how slowly."""

    rate: float | None = None
    """Bytes a second, at most."""
    least: float = 256.0
    """Bytes a second over ``window_s``, at least: less is an attack or of no use."""
    window_s: float = 30.0
    gap_s: float = 30.0
    """Longest silence in the middle of an answer."""
    answer_s: float = 60.0
    """Longest wait for the head of an answer, redirects and all, however steadily it drips."""


class HttpSource:
    """Contents from mirrors, asked in the order given.

    Args:
        mirrors: base addresses, ``https://cdn.example/content``.
        pools: connections; system certificates and proxies unless told otherwise.
        on_bytes: told of every piece that arrived, by its length.
        spent: bytes that the action has cost already, before a restart.
    """

    def __init__(
        self,
        mirrors: Sequence[str],
        *,
        limits: plan.Limits | None = None,
        pace: Pace | None = None,
        cancel: Cancel | None = None,
        pools: Pools | None = None,
        on_bytes: Callable[[int], None] = lambda count: None,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
        spent: int = 0,
    ) -> None:
        self._mirrors = [_checked(mirror) for mirror in mirrors]
        self._limits, self._pace = limits or plan.Limits(), pace or Pace()
        self._cancel = cancel or Cancel()
        self._pools = pools or Pools()
        self._on_bytes, self._clock, self._rng = on_bytes, clock, rng or random.Random()
        self.spent = spent
        self._bucket = TokenBucket(self._pace.rate, clock()) if self._pace.rate else None

    def fetch(self, pinned: Pinned, store: Store) -> Path:
        """See ``ContentSource``."""
        if store.has(pinned):
            return store.path(pinned.sha256)
        progress = plan.Progress(pinned.bytes, len(self._mirrors), spent=self.spent)
        progress = replace(progress, have=_usable_part(pinned, store))
        while True:
            self._cancel.check()
            step = plan.next_step(progress, self._limits, self._rng)
            if isinstance(step, plan.GiveUp):
                raise _given_up(step, pinned)
            if isinstance(step, plan.Wait):
                self._cancel.wait(step.seconds)
                progress = replace(progress, waited=True)
            elif isinstance(step, plan.Ask):
                progress = self._ask(step, progress, pinned, store)
                self.spent = progress.spent
            else:
                try:
                    return _admitted(pinned, store)
                except TrustError:
                    progress = plan.wrong(progress)

    def _ask(
        self, ask: plan.Ask, progress: plan.Progress, pinned: Pinned, store: Store
    ) -> plan.Progress:
        progress = replace(progress, requests=progress.requests + 1)
        url = f"{self._mirrors[ask.mirror]}/{pinned.sha256}"
        try:
            response = answered(
                lambda: self._open(url, ask.start),
                self._pace.answer_s,
                interrupting=self._cancel.interrupting,
                late=_closed,
            )
        except TimeoutError:
            return plan.broke(progress, Reason.TOO_SLOW)
        except (HTTPError, ValueError, OSError):  # ValueError: an address that cannot be one
            return plan.broke(progress)
        if response is None:
            return plan.ruled_out(progress, ask.mirror, Reason.REFUSED)
        try:
            return self._answered(response, ask, progress, pinned, store)
        finally:
            response.close()

    def _open(self, url: str, start: int) -> urllib3.BaseHTTPResponse | None:
        """The answer after redirects; None where they lead where they must not."""
        headers = {
            "User-Agent": USER_AGENT,
            "Accept-Encoding": "identity",
            "Connection": "close",  # an answer may be left unread
        }
        if start:
            headers["Range"] = f"bytes={start}-"
        for _ in range(plan.MAX_REDIRECTS + 1):
            response = self._pools.of(url).request(
                "GET",
                url,
                headers=headers,
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
                timeout=urllib3.Timeout(connect=10.0, read=self._pace.gap_s),
            )
            verdict = plan.judge(response.status, _headers(response), start, 0, _now())
            if not isinstance(verdict, plan.Elsewhere):
                return response
            response.close()
            target = redirected(url, verdict.location)
            if target is None:
                return None
            url = target
        return None

    def _answered(
        self,
        response: urllib3.BaseHTTPResponse,
        ask: plan.Ask,
        progress: plan.Progress,
        pinned: Pinned,
        store: Store,
    ) -> plan.Progress:
        verdict = plan.judge(response.status, _headers(response), ask.start, pinned.bytes, _now())
        if isinstance(verdict, plan.Take):
            if plan.too_dear(progress, verdict, self._limits):
                return plan.unpaid(progress)
            if verdict.at != store.gathered(pinned.sha256):
                store.drop_part(pinned.sha256)
            count, slow = self._receive(response, verdict.limit, pinned, store)
            return plan.received(progress, ask, verdict.at, count, self._limits, slow=slow)
        if isinstance(verdict, plan.Drop):
            store.drop_part(pinned.sha256)
            return plan.dropped(progress)
        if isinstance(verdict, plan.Later):
            return plan.broke(progress, after_s=verdict.after_s)
        reason = verdict.reason if isinstance(verdict, plan.Out) else Reason.REFUSED
        return plan.ruled_out(progress, ask.mirror, reason)

    def _receive(
        self, response: urllib3.BaseHTTPResponse, limit: int, pinned: Pinned, store: Store
    ) -> tuple[int, bool]:
        """Bytes put into the part, and whether they came too slowly.

        A connection that was cut, by us or by others, is no error here: what arrived is kept.
        """
        watch = SlowWatch(self._pace.least, self._pace.window_s, self._clock())
        count, waiting, slow = 0, bytearray(), False
        with (
            self._cancel.interrupting(partial(shut, response)),
            watched(response, self._pace.gap_s) as reading,
        ):
            while count < limit and not slow:
                try:
                    piece = reading(partial(_read, response, min(CHUNK, limit - count)))
                except TimeoutError:
                    slow = True
                    break
                if not piece:
                    break
                count += len(piece)
                waiting += piece
                if len(waiting) >= BLOCK:
                    store.append(pinned.sha256, bytes(waiting))
                    waiting.clear()
                slow = watch.slow(len(piece), self._clock())
                self._keep_pace(len(piece), watch)
        if waiting:
            store.append(pinned.sha256, bytes(waiting))
        return count, slow

    def _keep_pace(self, count: int, watch: SlowWatch) -> None:
        self._on_bytes(count)
        seconds = self._bucket.take(count, self._clock()) if self._bucket else 0.0
        if seconds > 0:
            self._cancel.wait(seconds)
            watch.pause(seconds)


def _closed(response: urllib3.BaseHTTPResponse | None) -> None:
    if response is not None:
        response.close()


def _usable_part(pinned: Pinned, store: Store) -> int:
    """Bytes of an earlier run's part; one that is too long to be right is dropped."""
    have = store.gathered(pinned.sha256)
    if have > pinned.bytes:
        store.drop_part(pinned.sha256)
        return 0
    return have


def _admitted(pinned: Pinned, store: Store) -> Path:
    if not pinned.bytes:
        store.drop_part(pinned.sha256)  # one of a run before may be sealed
        store.append(pinned.sha256, b"")
    return store.admit(pinned)


def _read(response: urllib3.BaseHTTPResponse, most: int) -> bytes:
    """What there is to read, at most ``most`` bytes; empty at the end and where it was cut."""
    try:
        return response.read1(most, decode_content=False) or b""
    except (HTTPError, OSError, ValueError):
        return b""


def _headers(response: urllib3.BaseHTTPResponse) -> dict[str, str]:
    return {name.lower(): value.strip() for name, value in response.headers.items()}


def _checked(mirror: str) -> str:
    parts = urlsplit(mirror)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError("a mirror is an http or https address without a name and password")
    if parts.query or parts.fragment or len(mirror) > MAX_URL:
        raise ValueError("a mirror's address ends in a path")
    return mirror.rstrip("/")


def _given_up(step: plan.GiveUp, pinned: Pinned) -> TransferError | TrustError:
    kind = TrustError if step.reason is Reason.WRONG_CONTENT else TransferError
    return kind(step.reason, f"content {pinned.sha256[:12]}: {step.problem}")


def _now() -> datetime:
    return datetime.now(timezone.utc)
