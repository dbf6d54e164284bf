"""When to make sound, how much at once, and when it is safe to begin: pure decisions on times.

The language model writes 13 text ids and then 26 codes, so codes come in bursts. Sound is made in
blocks of ten codes, the least the speech decoder takes whole; when the loudspeaker has enough to
say, of twenty or thirty, which is less work in all. The first sound waits until nothing that
follows can come too late at the pace that the model has shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from device.speech.glm_frames import BLOCK, HELD, frames_of
from device.speech.glm_speaking import OPENING, Rates
from services.language.schedule import InterleaveSchedule

FRAME_S = 256 / 22_050
LARGEST = 30
"""Codes at once: of the 64 that are solved, more than half stay known."""
SPARE_S = 0.3
"""Sound that must be left when a larger block is ready."""
PERIODS = 12
"""Turns of text and codes that are looked ahead: 25 s."""
LONGEST_WAIT_S = 3.0
"""A model that is slower than speech would have us wait for ever; a gap is better."""
_ROUNDING_S = 1e-9
UNKNOWN = Rates(0.0, 0.0)


def sounding(codes: int, *, last: bool = False) -> float:
    """Seconds of sound that so many codes from the beginning have given."""
    return max(0, frames_of(codes) - (0 if last else HELD)) * FRAME_S


@dataclass(frozen=True)
class Pace:
    """What is known of the machine.

    Attributes:
        token_s: seconds the language model needs for an id.
        rates: what the speech decoder needs for a frame.
        block_s: seconds it needs for a block beside that.
        beside: whether it works while the language model writes; else they take turns.
    """

    token_s: float
    rates: Rates = UNKNOWN
    block_s: float = 0.0
    beside: bool = False

    def decode_s(self, codes: int, new: int) -> float:
        """Seconds until there is sound of the newest ``new`` of so many codes."""
        return self.block_s + self.rates.block_s(codes, new)

    def opening_s(self, codes: int) -> float:
        """Seconds until there is the first piece of sound of a reply's first codes."""
        return self.block_s + self.rates.opening_s(codes)


def code_times(schedule: InterleaveSchedule, pace: Pace, codes: int) -> list[float]:
    """Seconds from the reply's first id to each of the first codes, when text never runs out."""
    out: list[float] = []
    ids = 0
    while len(out) < codes:
        if schedule.slot(ids) == "audio":
            out.append((ids + 1) * pace.token_s)
        ids += 1
    return out


def safe_start(
    schedule: InterleaveSchedule, pace: Pace, tens: Sequence[int] = (1, 2, 3, 4, 5, 6, 8, 100)
) -> float:
    """Seconds from the reply's first id until a start after which no sound comes too late.

    No start is safe for a model that is slower than speech; ``LONGEST_WAIT_S`` is given then.

    Args:
        schedule: of text and codes.
        pace: of the machine.
        tens: how many blocks of ten may come before there is time for larger ones; any will do.
    """
    at = code_times(schedule, pace, PERIODS * schedule.audio)
    return min(LONGEST_WAIT_S, *(_start(at, pace, count) for count in tens))


def _start(at: Sequence[float], pace: Pace, tens: int) -> float:
    """For so many blocks of ten, then one of twenty, then the largest."""
    start = at[BLOCK - 1] + pace.opening_s(BLOCK)
    free = busy = 0.0
    codes, size, made = BLOCK, BLOCK, 1
    while codes <= len(at):
        took = pace.decode_s(codes, size)
        free = (max(at[codes - 1], free) if pace.beside else at[codes - 1] + busy) + took
        busy += took
        left = max(sounding(codes - size), OPENING * FRAME_S)
        start = max(start, free - left + (SPARE_S if size > BLOCK else 0.0))
        size = BLOCK if made < tens else 2 * BLOCK if made == tens else LARGEST
        codes, made = codes + size, made + 1
    return start


class Pacing:
    """One reply.

    Args:
        schedule: of the reply.
        beside: see ``Pace``.
        largest: codes at once.
    """

    def __init__(
        self, schedule: InterleaveSchedule, *, beside: bool = False, largest: int = LARGEST
    ) -> None:
        self._schedule, self._beside, self._largest = schedule, beside, largest
        self._begun: float | None = None
        self._ids = 0
        self._busy_s = 0.0  # spent on sound between ids
        self._rates = UNKNOWN
        self._started: float | None = None
        self._codes = 0  # made into sound

    def begin(self, now: float) -> None:
        """The language model starts to write."""
        self._begun = now

    def wrote(self) -> None:
        """It wrote an id."""
        self._ids += 1

    def made(self, codes: int, seconds: float, rates: Rates) -> None:
        """Sound was made of so many codes, or the rest of the block's sound: then of none."""
        self._codes += codes
        self._rates = rates
        if not self._beside:
            self._busy_s += seconds

    def pace(self, now: float) -> Pace:
        """As shown so far."""
        begun = now if self._begun is None else self._begun
        wrote = max(now - begun - self._busy_s, 0.0)
        return Pace(wrote / max(self._ids, 1), self._rates, beside=self._beside)

    def may_start(self, now: float) -> bool:
        """Whether what was made may be heard from now on."""
        if self._started is None and self._codes:
            begun = now if self._begun is None else self._begun
            if now - begun >= safe_start(self._schedule, self.pace(now)) - _ROUNDING_S:
                self._started = now
        return self._started is not None

    def depth(self, now: float) -> float:
        """Seconds of sound made and not yet heard."""
        if self._started is None:
            return sounding(self._codes)
        return sounding(self._codes) - (now - self._started)

    def wanted(self, now: float, waiting: int = 0) -> int:
        """Codes to make sound of next: more where there is time to wait for them.

        Args:
            now: seconds.
            waiting: codes that are there already.
        """
        if not self._codes:
            return BLOCK
        pace, wanted = self.pace(now), BLOCK
        for size in range(2 * BLOCK, self._largest + 1, BLOCK):
            wait = self._ids_to(size - waiting) * pace.token_s
            if self.depth(now) - wait - pace.decode_s(self._codes + size, size) >= SPARE_S:
                wanted = size
        return wanted

    def _ids_to(self, codes: int) -> int:
        """Ids until so many more codes are written, when text never runs out."""
        ids = self._ids
        while codes > 0:
            codes -= self._schedule.slot(ids) == "audio"
            ids += 1
        return ids - self._ids
