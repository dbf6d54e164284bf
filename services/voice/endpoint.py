"""When has the user begun, when finished? Pure decisions on timestamps and a speech flag.

:class:`Endpointer` watches one utterance. A recogniser that finds the sentence so far to be a
complete command shortens the silence that is waited for. :class:`BargeIn` watches for speech over
a reply: it asks for the reply to be ducked on suspicion and stopped on certainty.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

EPSILON_S = 1e-6  # so that sums of 10 ms steps reach a threshold on the step they should


class Decision(Enum):
    """What a step of listening came to."""

    NONE = "none"
    START = "start"
    """Speech has begun."""
    END = "end"
    """The utterance is over."""
    TIMEOUT = "timeout"
    """Nobody spoke."""


@dataclass(frozen=True)
class EndpointConfig:
    """All times in milliseconds."""

    min_speech_ms: int = 120
    """Speech needed, within twice that time, before the utterance counts as begun."""
    trailing_silence_ms: int = 500
    """Silence that ends an utterance."""
    complete_silence_ms: int = 300
    """Silence that ends it when the words so far are a complete command."""
    max_utterance_ms: int = 12_000
    """From its start; longer ones are cut and answered."""
    no_speech_ms: int = 5_000
    """Waiting for the first word."""
    wake_tail_ms: int = 250
    """Speech that goes on from the wake word counts as the first word only after this."""

    def __post_init__(self) -> None:
        if not 0 < self.complete_silence_ms <= self.trailing_silence_ms < self.max_utterance_ms:
            raise ValueError(
                "endpointing needs 0 < complete_silence_ms <= trailing_silence_ms"
                " < max_utterance_ms"
            )
        if self.min_speech_ms <= 0 or self.no_speech_ms <= 0:
            raise ValueError("min_speech_ms and no_speech_ms must be positive")


class Endpointer:
    """One utterance, fed in time order; decides START once, then END or TIMEOUT once."""

    def __init__(self, config: EndpointConfig, t: float, after_wake: bool = True) -> None:
        """Args: t: clock seconds at which listening began; after_wake: by the wake word."""
        self._config = config
        self._tail_until = t + config.wake_tail_ms / 1000 if after_wake else t
        self._opened = t
        self._last_t = t
        self._burst_start: float | None = None
        self._burst_speech = 0.0
        self._last_speech: float | None = None
        self.started_at: float | None = None
        """Clock seconds of the first voiced sample; None before START."""

    @property
    def last_speech(self) -> float | None:
        """Clock seconds of the last voiced sample so far."""
        return self._last_speech

    def feed(self, t: float, speech: bool, complete: bool = False) -> Decision:
        """Take the frame that ended at ``t``.

        Args:
            t: clock seconds, never decreasing.
            speech: whether the frame is speech.
            complete: the recogniser holds the words so far for a complete command.
        """
        step = max(0.0, t - self._last_t)
        self._last_t = t
        if speech:
            self._last_speech = t
        if self.started_at is None:
            return self._wait(t, speech, step)
        return self._listen(t, complete)

    def _wait(self, t: float, speech: bool, step: float) -> Decision:
        need = self._config.min_speech_ms / 1000
        if not speech:
            self._tail_until = t  # the wake word is over
        if speech and t > self._tail_until + EPSILON_S:
            if self._burst_start is None:
                self._burst_start = t - step
                self._burst_speech = 0.0
            self._burst_speech += step
            if self._burst_speech + EPSILON_S >= need:
                self.started_at = self._burst_start
                return Decision.START
        if self._burst_start is not None and t - self._burst_start > 2 * need:
            self._burst_start = None  # a click or a cough, not a word
        waited = t - self._opened + EPSILON_S >= self._config.no_speech_ms / 1000
        return Decision.TIMEOUT if waited and self._burst_start is None else Decision.NONE

    def _listen(self, t: float, complete: bool) -> Decision:
        started, last = self.started_at, self._last_speech
        if started is None or last is None:
            return Decision.NONE
        if t - started + EPSILON_S >= self._config.max_utterance_ms / 1000:
            return Decision.END
        config = self._config
        silence_ms = config.complete_silence_ms if complete else config.trailing_silence_ms
        return Decision.END if t - last + EPSILON_S >= silence_ms / 1000 else Decision.NONE


class Barge(Enum):
    """What a step of speech over a reply came to."""

    NONE = "none"
    SUSPECT = "suspect"
    """Someone may be speaking: duck the reply."""
    CONFIRM = "confirm"
    """Someone is: stop the reply and listen."""
    CLEAR = "clear"
    """It was nothing: restore the reply."""


@dataclass(frozen=True)
class BargeInConfig:
    """All times in milliseconds."""

    suspect_ms: int = 80
    """Speech after which the reply is ducked."""
    confirm_ms: int = 320
    """Speech after which the reply is stopped."""
    forget_ms: int = 400
    """Silence after which a suspicion is dropped."""

    def __post_init__(self) -> None:
        if not 0 < self.suspect_ms <= self.confirm_ms or self.forget_ms <= 0:
            raise ValueError("barge-in needs 0 < suspect_ms <= confirm_ms and forget_ms > 0")


class BargeIn:
    """Debounced detection of a user who speaks over the reply."""

    def __init__(self, config: BargeInConfig) -> None:
        self._config = config
        self.reset()

    def reset(self) -> None:
        """Forget the past, and the time since the last frame with it."""
        self._last_t: float | None = None
        self._speech = 0.0
        self._silence = 0.0
        self._suspected = False

    def feed(self, t: float, speech: bool) -> Barge:
        """Take the frame that ended at ``t`` clock seconds."""
        step = 0.0 if self._last_t is None else max(0.0, t - self._last_t)
        self._last_t = t
        if speech:
            self._speech += step
            self._silence = 0.0
        else:
            self._silence += step
        return self._decide()

    def _decide(self) -> Barge:
        config = self._config
        if self._speech + EPSILON_S >= config.confirm_ms / 1000:
            self.reset()
            return Barge.CONFIRM
        if self._silence + EPSILON_S >= config.forget_ms / 1000:
            suspected = self._suspected
            self.reset()
            return Barge.CLEAR if suspected else Barge.NONE
        if not self._suspected and self._speech + EPSILON_S >= config.suspect_ms / 1000:
            self._suspected = True
            return Barge.SUSPECT
        return Barge.NONE
