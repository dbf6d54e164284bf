"""The language model that typed lines fall back on, opened with the first line that needs it.

A bundle says by ``typed_accept`` in its manifest's ``config`` that its language model has read
typed lines, and from which score on it is to be believed; without it none is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from device.bundle import Bundle
from device.engine.factory import EngineFactory
from device.errors import DeviceError
from device.speech.language_model import LanguageModel
from services.bundles import chosen_bundle
from services.language.calls import Call
from services.language.homeview import HomeView
from services.language.line_guess import Guess, LineGuess
from services.language.vocabulary import Vocabulary
from services.settings import Settings
from services.spoken_language import speaks

ACCEPT = "typed_accept"

log = logging.getLogger(__name__)


def accepts(config: Mapping[str, object]) -> float | None:
    """The least score of a bundle's guesses; None: it makes none.

    Raises:
        ValueError: it is no number.
    """
    value = config.get(ACCEPT)
    if value is not None and not isinstance(value, int | float):
        raise ValueError(f"manifest config.{ACCEPT} must be a number")
    return None if value is None else float(value)


def line_guess(bundle: Bundle, threads: int = 1, accept: float | None = None) -> LineGuess | None:
    """What guesses with a bundle's language model; an engine of its own, apart from any speech.

    Args:
        accept: the least score, over the bundle's own.

    Raises:
        BundleError, EngineError: the part is missing, damaged, or does not load.
        ValueError: the vocabulary or the configuration in the bundle is not readable.
    """
    from services.voice.families.linnet_mini import number

    config = bundle.manifest.config
    accept = accepts(config) if accept is None else accept
    if accept is None:
        return None
    vocabulary = Vocabulary.load(bundle.file("vocabulary"), number(config, "codes"))
    engine = EngineFactory("onnx", threads)(bundle, "lm")  # lines are few: no GPU for them
    longest = number(config, "lm_max_len")
    return LineGuess(lambda: LanguageModel(engine, longest), vocabulary, accept)


class LateGuess:
    """Opens the bundle with the first line; without a usable one it guesses nothing."""

    def __init__(self, open_: Callable[[], LineGuess | None]) -> None:
        self._open = open_
        self._opened = False
        self._guess: LineGuess | None = None

    @classmethod
    def of(cls, settings: Settings) -> LateGuess:
        return cls(lambda: _of(settings))

    def guess(self, text: str, view: HomeView, others: Sequence[Call] = ()) -> Guess:
        if not self._opened:
            self._opened = True
            try:
                self._guess = self._open()
            except (DeviceError, ValueError, OSError) as error:
                log.warning("no model for typed lines", extra={"error": type(error).__name__})
        return self._guess.guess(text, view, others) if self._guess else Guess()


def _of(settings: Settings) -> LineGuess | None:
    """None where the family, the language or the bundle has no such model."""
    if settings.model.family != "linnet_mini":
        return None
    bundle = Bundle.open(chosen_bundle(settings))
    if not speaks(settings.home.language, bundle.manifest.languages):
        return None
    return line_guess(bundle, settings.model.threads)
