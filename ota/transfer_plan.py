"""How one content is fetched: what to ask next, and what an answer means. No sockets, no clock.

A download is a ``Progress``; ``next_step`` says what to do with it, and ``judge``, ``received``,
``broke`` and ``wrong`` give the progress after what happened. The rules that keep a part honest:

* a part goes on only with a 206 whose Content-Range begins where the part ends;
* a 200 begins anew, a 416 drops the part; nothing is asked for or taken beyond the signed length;
* a mirror that says no, or whose bytes alone are wrong, is not asked again;
* whatever keeps failing ends: requests, failures in a row, bytes and waits are all bounded.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from ota.errors import Reason

MAX_REDIRECTS = 5
_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15}|\*)")


@dataclass(frozen=True)
class Limits:
    """What a download may cost before it is given up."""

    failures: int = 8
    """Requests in a row, over all mirrors, that brought less than ``progress`` bytes."""
    progress: int = 2**16
    requests: int = 1000
    base_s: float = 1.0
    """The first wait is between 0 and this; each further one may be twice as long."""
    longest_s: float = 300.0
    retry_after_s: float = 3600.0
    """The longest that a server may ask us to wait."""
    budget: int | None = None
    """Bytes that may be received, whatever for; None: any."""


@dataclass(frozen=True)
class Progress:
    """One download so far."""

    total: int
    """Signed length in bytes."""
    mirrors: int
    have: int = 0
    """Bytes in the part."""
    spent: int = 0
    """Bytes received for this action, useful or not."""
    mirror: int = 0
    out: frozenset[int] = frozenset()
    """Mirrors that are not asked again."""
    ranged: bool = True
    """Whether to ask for a range; not after an answer that made no sense of one."""
    sole: int | None = None
    """The mirror that every byte of the part came from."""
    failures: int = 0
    requests: int = 0
    after_s: float | None = None
    """What the last answer asked us to wait."""
    waited: bool = True
    reason: Reason = Reason.UNREACHABLE
    """Why the last request failed."""


@dataclass(frozen=True)
class Ask:
    """Send a request for what is missing from ``start`` on."""

    mirror: int
    start: int


@dataclass(frozen=True)
class Wait:
    """Wait, then look again."""

    seconds: float


@dataclass(frozen=True)
class Admit:
    """The part is as long as it should be: judge its bytes."""


@dataclass(frozen=True)
class GiveUp:
    """It cannot be had."""

    reason: Reason
    problem: str


Step = Ask | Wait | Admit | GiveUp


def next_step(progress: Progress, limits: Limits, rng: random.Random) -> Step:
    """What to do now."""
    if progress.have == progress.total:
        return Admit()
    if len(progress.out) >= progress.mirrors:
        return GiveUp(progress.reason, "no mirror has it")
    if progress.failures >= limits.failures or progress.requests >= limits.requests:
        return GiveUp(progress.reason, f"gave up after {progress.requests} requests")
    if limits.budget is not None and _cost(progress) > limits.budget:
        return GiveUp(Reason.BYTE_BUDGET, f"needs {_cost(progress)} of {limits.budget} bytes")
    if not progress.waited:
        return Wait(wait_before(progress.failures, progress.after_s, limits, rng))
    return Ask(progress.mirror, progress.have if progress.ranged else 0)


def _cost(progress: Progress) -> int:
    start = progress.have if progress.ranged else 0
    return progress.spent + progress.total - start


def wait_before(failures: int, after_s: float | None, limits: Limits, rng: random.Random) -> float:
    """Seconds: exponential back-off with full jitter, and never less than the server asked for."""
    longest = min(limits.longest_s, limits.base_s * 2 ** min(max(failures - 1, 0), 30))
    return max(rng.uniform(0, longest), min(after_s or 0.0, limits.retry_after_s))


@dataclass(frozen=True)
class Take:
    """Take the body: at most ``limit`` bytes, to follow the first ``at`` bytes of the part."""

    at: int
    limit: int


@dataclass(frozen=True)
class Drop:
    """The part cannot be continued: drop it and ask for the whole."""


@dataclass(frozen=True)
class Out:
    """This mirror will not do."""

    reason: Reason


@dataclass(frozen=True)
class Later:
    """This mirror cannot now; ``after_s`` where it said when."""

    after_s: float | None


@dataclass(frozen=True)
class Elsewhere:
    """Ask there instead."""

    location: str


Verdict = Take | Drop | Out | Later | Elsewhere


def judge(
    status: int, headers: Mapping[str, str], start: int, total: int, now: datetime
) -> Verdict:
    """What an answer to a request from ``start`` on means.

    Args:
        headers: by lower-case name.
        now: for a Retry-After that is a date.
    """
    if status in (200, 206) and headers.get("content-encoding", "identity") != "identity":
        return Out(Reason.WRONG_CONTENT)
    if status == 206:
        return _judge_range(headers.get("content-range", ""), start, total)
    if status == 200:
        length = headers.get("content-length", str(total))
        return Take(0, total) if length == str(total) else Out(Reason.WRONG_CONTENT)
    if status == 416:
        return Drop() if start else Out(Reason.WRONG_CONTENT)
    if status in (301, 302, 303, 307, 308):
        return Elsewhere(headers.get("location", ""))
    if status in (408, 425, 429) or status >= 500:
        return Later(retry_after(headers.get("retry-after", ""), now))
    return Out(Reason.REFUSED)


def _judge_range(content_range: str, start: int, total: int) -> Verdict:
    found = _RANGE.fullmatch(content_range)
    if not start:
        return Out(Reason.WRONG_CONTENT)  # a part of something, and we asked for the whole
    if found is None or int(found[1]) != start or not start <= int(found[2]) < total:
        return Drop()
    if found[3] not in ("*", str(total)):
        return Out(Reason.WRONG_CONTENT)
    return Take(start, int(found[2]) - start + 1)


def too_dear(progress: Progress, take: Take, limits: Limits) -> bool:
    """Whether a body is more than may be received: a server sends all where a rest was asked."""
    return limits.budget is not None and progress.spent + take.limit > limits.budget


def retry_after(value: str, now: datetime) -> float | None:
    """Seconds of a Retry-After header, a number or a date; None where it is neither."""
    if re.fullmatch(r"\d{1,9}", value):
        return float(value)
    if len(value) > 64:
        return None
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    when = when if when.tzinfo else when.replace(tzinfo=timezone.utc)
    return max(0.0, (when - now).total_seconds())


def received(
    progress: Progress, ask: Ask, at: int, count: int, limits: Limits, *, slow: bool = False
) -> Progress:
    """After a body of which ``count`` bytes were put at ``at`` of the part.

    One that ended early sends the rest to the next mirror: each cut may look like the line's
    fault, and a mirror that cuts every answer would otherwise be the only one that is asked.

    Args:
        slow: it was ended by us, for it came too slowly.
    """
    whole = at + count == progress.total
    moved = not slow and count >= min(limits.progress, progress.total - at)
    after = replace(
        progress,
        have=at + count,
        spent=progress.spent + count,
        sole=ask.mirror if at == 0 or progress.sole == ask.mirror else None,
        ranged=True,
        failures=0 if moved else progress.failures + 1,
        after_s=None,
        waited=whole,
        reason=Reason.TOO_SLOW if slow else Reason.UNREACHABLE,
    )
    return after if whole else _to_next(after)


def unpaid(progress: Progress) -> Progress:
    """After an answer that was ``too_dear`` and left unread: ranges are not to be had here."""
    return replace(progress, ranged=False, waited=True)


def broke(
    progress: Progress, reason: Reason = Reason.UNREACHABLE, after_s: float | None = None
) -> Progress:
    """After a request that brought nothing; the next mirror is asked, after a wait."""
    return _to_next(
        replace(
            progress,
            failures=progress.failures + 1,
            after_s=after_s,
            waited=False,
            reason=reason,
        )
    )


def ruled_out(progress: Progress, mirror: int, reason: Reason) -> Progress:
    """After an answer that makes a mirror useless for this content; the next one is asked."""
    return _to_next(replace(progress, out=progress.out | {mirror}, reason=reason))


def dropped(progress: Progress) -> Progress:
    """After the part was dropped because it could not be continued."""
    return replace(
        progress, have=0, sole=None, ranged=False, failures=progress.failures + 1, waited=False
    )


def wrong(progress: Progress) -> Progress:
    """After a whole part with wrong bytes, which was removed.

    Where one mirror gave all of it, that mirror is out. Where not, nobody knows whose fault it was.
    """
    begun = replace(progress, have=0, sole=None, reason=Reason.WRONG_CONTENT)
    if progress.sole is None:
        return replace(begun, failures=progress.failures + 1)
    return ruled_out(begun, progress.sole, Reason.WRONG_CONTENT)


def _to_next(progress: Progress) -> Progress:
    order = [(progress.mirror + n) % progress.mirrors for n in range(1, progress.mirrors + 1)]
    left = [mirror for mirror in order if mirror not in progress.out]
    return replace(progress, mirror=left[0] if left else progress.mirror)
