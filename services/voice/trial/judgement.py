"""Whether a release did well enough on this device. Pure; every verdict is a reason of the 4xx."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from device.sound.frames import SAMPLE_RATE, Pcm
from ota.errors import Reason
from ota.release import Gate
from services.voice.turn_log import Turn

AUDIBLE = 10 ** (-40 / 20)
"""Least loudness of a reply, as root mean square of its loudest 50 ms, full scale being 1."""
WINDOW = 800  # samples
WORD_S, PAUSES_S = 0.8, 2.0
"""Longest a reply may take: for each word, and in all. Slow speakers need half of that."""
ROUNDS = 3
"""Measurements that a release which looks too slow gets, before it is believed."""


@dataclass(frozen=True)
class Verdict:
    """None of a reason: good so far."""

    reason: Reason | None = None
    detail: str = ""


GOOD = Verdict()


def of_turns(gate: Gate, turns: Sequence[Turn]) -> Verdict:
    """What the recording gave: the wake word, the call, a reply that can be heard."""
    if not turns:
        return Verdict(Reason.GATE_WAKE, "the wake word in the self-test was not heard")
    turn = turns[0]
    if turn.ended != "done":
        # ``fault: Kind`` names an exception; nothing that was said is in there.
        return Verdict(Reason.GATE_CALL, f"the self-test's turn ended by {turn.ended}"[:200])
    given = turn.call.line if turn.call else ""
    if gate.call is not None and given != gate.call:
        # A released sentence of the publisher's, not one of the owner's.
        return Verdict(Reason.GATE_CALL, f"gave {given or 'no call'}, stated is {gate.call}"[:400])
    if loudness(turn.reply) < AUDIBLE:
        return Verdict(Reason.GATE_REPLY, "the reply is silent")
    seconds, words = len(turn.reply) / SAMPLE_RATE, len(turn.reply_text.split())
    if words and seconds > WORD_S * words + PAUSES_S:
        return Verdict(Reason.GATE_REPLY, f"the reply takes {seconds:.1f} s for {words} words")
    return GOOD


def of_words(gate: Gate, errors: int, words: int) -> Verdict:
    """What the judge of speech made of the reply: words missed, changed and made up.

    It mishears a third of a good voice's words, and makes up whole sentences where there is only
    noise.
    """
    if errors <= gate.max_wer * words:
        return GOOD
    return Verdict(Reason.GATE_REPLY, f"{errors} errors in recognising {words} words of the reply")


def of_times(gate: Gate, new_ms: Sequence[float], old_ms: Sequence[float]) -> Verdict:
    """First audio, both measured in the same run; nothing to compare with is no fault."""
    new, old = p95(new_ms), p95(old_ms)
    if new is None or old is None or new <= gate.slower * old:
        return GOOD
    detail = f"p95 {new:.0f} ms, {new / max(old, 1.0):.2f} × the {old:.0f} ms before"
    return Verdict(Reason.GATE_LATENCY, f"{detail}; allowed {gate.slower:g}")


def of_memory(taken_mb: int, stated_mb: int) -> Verdict:
    if taken_mb <= stated_mb:
        return GOOD
    return Verdict(Reason.GATE_MEMORY, f"takes {taken_mb} MiB, its manifest says {stated_mb}")


def p95(values: Sequence[float]) -> float | None:
    """95th percentile with interpolation, to a tenth; None of nothing."""
    return round(float(np.quantile(values, 0.95)), 1) if len(values) else None


def loudness(pcm: Pcm) -> float:
    """Root mean square of the loudest 50 ms."""
    whole = len(pcm) // WINDOW * WINDOW
    if not whole:
        return 0.0
    blocks = np.asarray(pcm[:whole], np.float64).reshape(-1, WINDOW)
    return float(np.sqrt((blocks**2).mean(axis=1)).max())
