"""When to make sound, how much at once, and when it is safe to begin: pure decisions on times.

The language model writes 13 text ids and then 26 codes, so codes come in bursts. Sound is made in
blocks of ten codes, the least the speech decoder takes whole; when the loudspeaker has enough to
say, of twenty or thirty, which is less work in all. The first sound waits until nothing that
follows can come too late at the pace that the model has shown.
"""

from __future__ import annotations

from dataclasses import dataclass

from device.speech.glm_frames import BLOCK, HELD, frames_of
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


def sounding(codes: int, *, last: bool = False) -> float:
    """Seconds of sound that so many codes from the beginning have given."""
    return max(0, frames_of(codes) - (0 if last else HELD)) * FRAME_S


@dataclass(frozen=True)
class Pace:
    """What is known of the machine.

    Attributes:
        token_s: seconds the language model needs for an id.
        decode_s: seconds the speech decoder needs for a block.
    """

    token_s: float
    decode_s: float


def code_times(schedule: InterleaveSchedule, pace: Pace, codes: int) -> list[float]:
    """Seconds from the reply's first id to each of the first codes, when text never runs out."""
    out: list[float] = []
    ids = 0
    while len(out) < codes:
        if schedule.slot(ids) == "audio":
            out.append((ids + 1) * pace.token_s)
        ids += 1
    return out


def safe_start(schedule: InterleaveSchedule, pace: Pace, block: int = BLOCK) -> float:
    """Seconds from the reply's first id until a start after which no sound comes too late.

    Sound is taken to be made beside the language model, in blocks of one size. No start is safe
    for a model that is slower than speech; ``LONGEST_WAIT_S`` is given then.
    """
    count = PERIODS * schedule.audio // block * block
    at = code_times(schedule, pace, count)
    start = free = 0.0
    for codes in range(block, count + 1, block):
        free = max(at[codes - 1], free) + pace.decode_s
        start = max(start, free - sounding(codes - block))
    return min(start, LONGEST_WAIT_S)


class Pacing:
    """One reply.

    Args:
        schedule: of the reply.
        decode_s: seconds a block took lately, to begin with.
        largest: codes at once.
    """

    def __init__(
        self, schedule: InterleaveSchedule, decode_s: float = 0.15, largest: int = LARGEST
    ) -> None:
        self._schedule, self._decode_s, self._largest = schedule, decode_s, largest
        self._begun: float | None = None
        self._ids = 0
        self._busy_s = 0.0  # spent on sound between ids
        self._started: float | None = None
        self._codes = 0  # made into sound

    def begin(self, now: float) -> None:
        """The language model starts to write."""
        self._begun = now

    def wrote(self) -> None:
        """It wrote an id."""
        self._ids += 1

    def made(self, codes: int, seconds: float, *, beside: bool = False) -> None:
        """Sound of so many codes was made.

        Args:
            beside: the language model wrote on meanwhile; else it waited.
        """
        self._codes += codes
        self._decode_s = seconds
        if not beside:
            self._busy_s += seconds

    def pace(self, now: float) -> Pace:
        """As shown so far."""
        begun = now if self._begun is None else self._begun
        wrote = max(now - begun - self._busy_s, 0.0)
        # Where the decoder takes its turn with the model, its time is the model's loss.
        share = self._busy_s / max(self._ids, 1)
        return Pace(wrote / max(self._ids, 1) + share, self._decode_s)

    def may_start(self, now: float) -> bool:
        """Whether what was made may be heard from now on."""
        if self._started is None and self._codes:
            begun = now if self._begun is None else self._begun
            if now - begun >= safe_start(self._schedule, self.pace(now)):
                self._started = now
        return self._started is not None

    def depth(self, now: float) -> float:
        """Seconds of sound made and not yet heard."""
        if self._started is None:
            return sounding(self._codes)
        return sounding(self._codes) - (now - self._started)

    def wanted(self, now: float) -> int:
        """Codes to make sound of next: more where there is time to wait for them."""
        if not self._codes:
            return BLOCK
        pace, wanted = self.pace(now), BLOCK
        for size in range(2 * BLOCK, self._largest + 1, BLOCK):
            # At worst a whole run of text comes between.
            wait = (size + self._schedule.text * -(-size // self._schedule.audio)) * pace.token_s
            if self.depth(now) - wait - pace.decode_s >= SPARE_S:
                wanted = size
        return wanted
