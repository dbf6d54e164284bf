"""Wake words by microWakeWord: a streaming int8 network of 50 kB, about 1 % of one core.

The models come inside the ``pymicro-wakeword`` package; another one is given by the path of its
``.json``. Sensitivity 0.5 is the cut-off its author published; 0 and 1 move that by the same
factor of false-accept odds down and up.
"""

from __future__ import annotations

import math
from pathlib import Path

from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model

from device.errors import DeviceError
from device.sound.frames import FRAME_MS, Pcm, to_pcm16

PHRASES = {
    "okay nabu": "okay_nabu",
    "hey jarvis": "hey_jarvis",
    "hey mycroft": "hey_mycroft",
    "alexa": "alexa",
}
REFRACTORY_MS = 1_000  # one utterance of the phrase must not wake twice
ODDS = 2.5  # natural-log odds by which sensitivity 0 or 1 moves the cut-off


class WakeError(DeviceError):
    """A wake word that cannot be listened for."""


class MicroWakeWordDetector:
    """One phrase, one microphone."""

    def __init__(
        self,
        phrase: str = "okay nabu",
        sensitivity: float = 0.5,
        model: Path | None = None,
        refractory_ms: int = REFRACTORY_MS,
    ) -> None:
        """Load the network.

        Args:
            phrase: one of :data:`PHRASES`; with ``model``, only what it is called.
            sensitivity: 0 (hard to wake) to 1 (easy).
            model: the ``.json`` beside another ``.tflite``.
            refractory_ms: how long after waking the phrase is not heard again.

        Raises:
            WakeError: unknown phrase, sensitivity outside 0..1, or a model that does not load.
        """
        self.phrase = phrase
        self.score = 0.0
        self._network = _load(phrase, model)
        self.set_sensitivity(sensitivity)
        self._features = MicroWakeWordFeatures()
        self._refractory = refractory_ms // FRAME_MS
        self._deaf = 0

    def set_sensitivity(self, sensitivity: float) -> None:
        """0 (hard to wake) to 1 (easy), from now on; from any thread. Raises WakeError."""
        if not 0.0 <= sensitivity <= 1.0:
            raise WakeError("wake.sensitivity", f"{sensitivity} is outside 0..1", "choose 0 to 1")
        self._cutoff = cutoff(float(self._network.probability_cutoff), sensitivity)

    def feed(self, pcm: Pcm) -> bool:
        """Take float32[160]; True on the one frame at which the phrase is recognised."""
        self._deaf = max(0, self._deaf - 1)
        for features in self._features.process_streaming(to_pcm16(pcm)):
            probability = self._network.process_streaming_prob(features)
            if probability is not None:
                self.score = float(probability)
        if self._deaf or self.score <= self._cutoff:
            return False
        self._deaf = self._refractory
        return True

    def reset(self) -> None:
        self._features.reset()
        self._network.reset()
        self.score = 0.0
        self._deaf = 0


def cutoff(published: float, sensitivity: float) -> float:
    """The score to exceed: the published one at 0.5, moved evenly in log odds to either side."""
    odds = math.log(published / (1.0 - published)) + ODDS * (1.0 - 2.0 * sensitivity)
    return 1.0 / (1.0 + math.exp(-odds))


def _load(phrase: str, model: Path | None) -> MicroWakeWord:
    if model is None:
        if phrase not in PHRASES:
            raise WakeError(
                "wake.phrase", f"{phrase!r} has no model", f"choose one of {', '.join(PHRASES)}"
            )
        return MicroWakeWord.from_builtin(Model(PHRASES[phrase]))
    try:
        return MicroWakeWord.from_config(model)
    except (OSError, ValueError, KeyError) as error:
        raise WakeError(str(model), "not a microWakeWord model", "give its .json") from error
