"""The end of the demo: every turn in one table, and the verdict, for people or as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from services.demo.judge import WORDS_HEARD, Heard
from services.demo.live import call_text
from services.demo.script import Recording
from services.voice.turn_log import Turn

_COLUMNS = ("recording", "understood", "call", "first audio", "reply", "heard", "")
_WIDEST = 44


@dataclass
class Spoken:
    """A turn with its reply's file and what the recogniser made of it."""

    turn: Turn
    wav: Path | None = None
    heard: Heard | None = None


@dataclass
class Scene:
    """A recording that was played, and what came of it."""

    recording: Recording
    spoken: list[Spoken]
    faults: list[str]


@dataclass
class Result:
    """The whole demo."""

    scenes: list[Scene] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """What is wrong with the home or the replies as a whole."""

    @property
    def spoken(self) -> list[Spoken]:
        return [spoken for scene in self.scenes for spoken in scene.spoken]

    @property
    def ok(self) -> bool:
        return not self.faults and not any(scene.faults for scene in self.scenes)

    @property
    def words_heard(self) -> float | None:
        """Share of the replies' words that the recogniser found; None where there are none."""
        heard = [spoken.heard for spoken in self.spoken if spoken.heard is not None]
        words = sum(h.words for h in heard)
        return sum(h.right for h in heard) / words if words else None

    @property
    def first_audio_ms(self) -> float | None:
        """The median."""
        known = [s.turn.first_audio_ms for s in self.spoken if s.turn.first_audio_ms is not None]
        return statistics.median(known) if known else None


def lines(result: Result) -> list[str]:
    """Table, faults, verdict."""
    rows = [row for scene in result.scenes for row in _rows(scene)]
    wrong = [f"{scene.recording.name}: {f}" for scene in result.scenes for f in scene.faults]
    return [*_table([_COLUMNS, *rows]), "", *wrong, *result.faults, *_verdict(result)]


def as_json(result: Result) -> dict[str, object]:
    """One object: ``ok``, ``faults``, ``words_heard``, ``first_audio_ms``, ``turns``."""
    return {
        "ok": result.ok,
        "faults": result.faults,
        "words_heard": result.words_heard,
        "words_heard_bar": WORDS_HEARD,
        "first_audio_ms": {"p50": result.first_audio_ms},
        "recordings": [
            {
                "recording": scene.recording.name,
                "voice": scene.recording.voice,
                "said": scene.recording.said,
                "faults": scene.faults,
                "turns": [_turn_json(spoken) for spoken in scene.spoken],
            }
            for scene in result.scenes
        ],
    }


def _turn_json(spoken: Spoken) -> dict[str, object]:
    turn, heard = spoken.turn, spoken.heard
    return {
        "transcript": turn.transcript,
        "call": {"name": turn.call.name, "arguments": turn.call.args} if turn.call else None,
        "reply_text": turn.reply_text,
        "reply_wav": str(spoken.wav) if spoken.wav else None,
        "reply_heard_as": heard.text if heard else None,
        "reply_words_heard": [heard.right, heard.words] if heard else None,
        "events": [{"kind": event.kind, "ms": event.t_ms} for event in turn.events],
    }


def _rows(scene: Scene) -> list[tuple[str, ...]]:
    verdict = "wrong" if scene.faults else "ok"
    rows: list[tuple[str, ...]] = []
    for spoken in scene.spoken:
        turn, heard = spoken.turn, spoken.heard
        ms = "" if turn.first_audio_ms is None else f"{turn.first_audio_ms:.0f} ms"
        share = f"{heard.right}/{heard.words}" if heard else ""
        call = call_text(turn.call) or "none"
        rows.append(
            (scene.recording.name, turn.transcript, call, ms, turn.reply_text, share, verdict)
        )
    return rows or [(scene.recording.name, "", "", "", "", "", verdict)]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    cells = [[_fit(cell) for cell in row] for row in rows]
    widths = [max(len(row[n]) for row in cells) for n in range(len(_COLUMNS))]
    return [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells
    ]


def _fit(text: str) -> str:
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def _verdict(result: Result) -> list[str]:
    out = []
    if result.words_heard is not None:
        out.append(
            f"pocketsphinx found {result.words_heard:.0%} of the replies' words"
            f" (bar: {WORDS_HEARD:.0%}, and one of each reply)"
        )
    if result.first_audio_ms is not None:
        out.append(f"end of speech to first audio: {result.first_audio_ms:.0f} ms (median)")
    good = "every device is in the state that was asked for, and every reply is speech"
    return [*out, good if result.ok else "the demo FAILED: see above"]
