"""The health gate inside the voice daemon: a new generation is loaded, tried and judged.

It runs on a thread of its own beside the loop that serves. The model in service is measured in the
same run, on its own worker and only while nobody speaks; the recording is spoken to both in turns,
so that what else this machine does slows both alike.
"""

from __future__ import annotations

import gc
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from device.sound.files import read_audio
from device.sound.frames import Pcm
from ota.errors import Reason
from ota.release import Gate
from services.logs import without_message
from services.settings import Settings
from services.voice.trial import judgement
from services.voice.trial.exchange import POLL_S, Absent, Exchange, Loaded, told_of
from services.voice.trial.judgement import Verdict
from services.voice.trial.rehearsal import Rehearsed, rehearse
from services.voice.trial.words import Proof
from services.voice.turn_log import Turn
from services.voice.worker import InlineWorker, ThreadWorker, Worker

log = logging.getLogger(__name__)

REHEARSALS = 3
"""Undisturbed ones of each model in a round; twice as many disturbed ones count as well, where
somebody speaks all the time."""
REST_S = 20.0
"""How long a rehearsal waits for the end of a real turn."""
ROOM_MB = 128
"""What must be left beside two models."""
CLOSE_S = 2.0

Open = Callable[[str], Loaded]
Judge = Callable[[Pcm, str], tuple[int, int] | None]
"""Word errors in recognising a text in float32[n], and how many words it has; None: it cannot."""


class GateFailed(Exception):
    """The release is not good here; the verdict says why."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.detail)
        self.verdict = verdict


@dataclass
class _Times:
    """First audio of one model, in milliseconds."""

    clean: list[float] = field(default_factory=list)
    disturbed: list[float] = field(default_factory=list)
    attempts: int = 0

    def add(self, rehearsed: Rehearsed) -> None:
        self.attempts += 1
        ms = rehearsed.turn.first_audio_ms if rehearsed.turn else None
        if ms is not None:
            (self.disturbed if rehearsed.disturbed else self.clean).append(ms)

    def enough(self, wanted: int) -> bool:
        return len(self.clean) >= wanted or self.attempts >= 2 * wanted

    @property
    def values(self) -> list[float]:
        return self.clean or self.disturbed


class Prover:
    """One generation through its gate; call it on a thread that may take its time."""

    def __init__(
        self,
        settings: Settings,
        exchange: Exchange,
        open_: Open,
        judge: Judge | None = None,
        rehearsals: int = REHEARSALS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            rehearsals: of each model, in each round.
            open_: opens an installed generation by its name, or, by an empty one, what the
                settings name; may raise DeviceError.
            judge: of speech, where it is installed.
        """
        self._settings, self._exchange, self._open = settings, exchange, open_
        self._judge, self._clock = judge, clock
        self._rehearsals = rehearsals
        self._stopping = False

    def stop(self) -> None:
        """Give up what goes on as soon as possible; from any thread."""
        self._stopping = True

    def prove(
        self, name: str, gate: Gate, path: Path, needs_mb: Callable[[], int]
    ) -> tuple[Proof, Loaded | None]:
        """The proof and, where it was passed, the model, ready to serve. Never raises.

        A release that failed and had the old model make room leaves :class:`Absent` in service
        only where the old one does not load again.

        Args:
            path: the generation's directory.
            needs_mb: what its manifest says that it needs, MiB; may raise like ``open_``.
        """
        self._stopping = False
        run = _Run(self, name, gate, path)
        loaded: Loaded | None = None
        verdict = judgement.GOOD
        try:
            loaded = run.go(needs_mb)
        except GateFailed as failed:
            verdict = failed.verdict
        except Exception as error:  # whatever a release makes us raise is its fault
            log.warning("the gate ended in a fault", exc_info=without_message(error))
            verdict = Verdict(Reason.GATE_LOAD, told_of(error))
        finally:
            run.close()
        if verdict.reason is not None:
            loaded = None
            run.put_back()
        return run.proof(verdict), loaded


class _Run:
    """One pass of one generation."""

    def __init__(self, owner: Prover, name: str, gate: Gate, path: Path) -> None:
        self._o, self._name, self._gate, self._path = owner, name, gate, path
        self._beside = True
        self._began = owner._clock()
        self._before = owner._exchange.serving
        self._worker: Worker = InlineWorker()
        self._memory_mb: int | None = None
        self._recognised: bool | None = None
        self._new, self._old = _Times(), _Times()

    def go(self, needs_mb: Callable[[], int]) -> Loaded:
        """Raises GateFailed, or whatever the release makes its engines raise."""
        self._beside = _room_for(needs_mb())
        self._worker = ThreadWorker("linnet-trial")
        said = self._utterance()
        if not self._beside:
            self._measure_alone(said)
        resident = _resident_mb()
        loaded = self._o._open(self._name)
        if said is not None:
            self._try(loaded, said)
        self._memory_mb = max(0, _resident_mb() - resident)
        if loaded.memory_mb:
            self._demand(judgement.of_memory(self._memory_mb, loaded.memory_mb))
        self._in_time()
        return loaded

    def _utterance(self) -> Pcm | None:
        name = self._gate.utterance
        return None if name is None else read_audio(self._path / name, max_seconds=60)

    def _measure_alone(self, said: Pcm | None) -> None:
        """No room for two: the old one is measured first, then makes room."""
        while said is not None and not self._old.enough(self._o._rehearsals):
            self._old.add(self._rehearse_serving(said, self._o._rehearsals))
        self._before = replace(self._before, model=Absent())  # or it could not go
        self._make_room()

    def _make_room(self) -> None:
        """Whoever speaks may go on for as long as the gate has time."""
        exchange = self._o._exchange
        while True:
            self._in_time()
            if exchange.wanted:
                time.sleep(POLL_S)
                continue
            try:
                return exchange.take_out()
            except TimeoutError:
                if exchange.absent:
                    raise  # nobody has begun to speak once more: it does not let go

    def _try(self, loaded: Loaded, said: Pcm) -> None:
        self._demand(self._of_words(loaded, self._heard_right(loaded, said).turns[0]))
        for rounds in range(1, judgement.ROUNDS + 1):
            self._measure(loaded, said, rounds)
            verdict = judgement.of_times(self._gate, self._new.values, self._old.values)
            if verdict.reason is None or not self._beside:
                break
        self._demand(verdict)

    def _measure(self, loaded: Loaded, said: Pcm, rounds: int) -> None:
        wanted = rounds * self._o._rehearsals
        while not (self._new.enough(wanted) and (not self._beside or self._old.enough(wanted))):
            if not self._new.enough(wanted):
                self._new.add(self._heard_right(loaded, said))
            if self._beside and not self._old.enough(wanted):
                self._old.add(self._rehearse_serving(said, wanted))

    def _heard_right(self, loaded: Loaded, said: Pcm) -> Rehearsed:
        """A rehearsal of the new one, whose answer must be right each time."""
        found = self._rehearse(loaded, said, self._worker, yields=False)
        self._demand(judgement.of_turns(self._gate, found.turns))
        return found

    def _rehearse(self, loaded: Loaded, said: Pcm, worker: Worker, *, yields: bool) -> Rehearsed:
        exchange = self._o._exchange
        until = self._o._clock() + REST_S
        while exchange.wanted and self._o._clock() < until:
            self._in_time()
            time.sleep(POLL_S)
        self._in_time()
        return rehearse(
            self._o._settings,
            loaded.model,
            said,
            worker,
            wanted=lambda: exchange.wanted or self._o._stopping,
            yields=yields,
        )

    def _rehearse_serving(self, said: Pcm, wanted: int) -> Rehearsed:
        """The one in service makes way for real turns, but not for ever."""
        worker = self._o._exchange.loop.worker
        yields = self._old.attempts < wanted
        return self._rehearse(self._before, said, worker, yields=yields)

    def _of_words(self, loaded: Loaded, turn: Turn) -> Verdict:
        judge = self._o._judge if loaded.english else None
        found = judge(turn.reply, turn.reply_text) if judge is not None else None
        if found is None:
            return judgement.GOOD
        verdict = judgement.of_words(self._gate, *found)
        self._recognised = verdict.reason is None
        return verdict

    def _demand(self, verdict: Verdict) -> None:
        if verdict.reason is not None:
            raise GateFailed(verdict)

    def _in_time(self) -> None:
        if self._o._stopping:
            raise GateFailed(Verdict(Reason.CANCELLED, "the daemon stops"))
        if self._o._clock() - self._began > self._gate.seconds:
            detail = f"not done within {self._gate.seconds:g} s"
            raise GateFailed(Verdict(Reason.GATE_TIME, detail))

    def close(self) -> None:
        self._worker.close(CLOSE_S)

    def put_back(self) -> None:
        """What was taken out to make room serves again."""
        if not self._o._exchange.absent:
            return
        gc.collect()  # the one that failed, or there is no room once more
        try:
            loaded = self._o._open(self._before.generation)
            self._o._exchange.put_in(replace(loaded, makeshift=self._before.makeshift))
        except Exception as error:  # nobody may be left without a word of what happened
            reason, trace = {"reason": told_of(error)}, without_message(error)
            log.error("the model before does not load again", extra=reason, exc_info=trace)

    def proof(self, verdict: Verdict) -> Proof:
        return Proof(
            generation=self._name,
            over=True,
            reason=verdict.reason,
            detail=verdict.detail[:500],
            recognised=self._recognised,
            seconds=round(self._o._clock() - self._began, 1),
            p95_ms=_positive(judgement.p95(self._new.values)),
            p95_before_ms=_positive(judgement.p95(self._old.values)),
            memory_mb=self._memory_mb,
            beside=self._beside,
        )


def _positive(ms: float | None) -> float | None:
    return None if ms is None else max(0.0, ms)


def _resident_mb() -> int:
    """Memory of this process."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


def _room_for(needs_mb: int) -> bool:
    """Whether the machine has room for another model of that size."""
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) >> 10 >= needs_mb + ROOM_MB
    return False
