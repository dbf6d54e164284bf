"""The voice the replies were learnt from, saying the same texts: the bar of intelligibility."""

from __future__ import annotations

from collections.abc import Sequence

from device.errors import BundleError
from device.sound.files import read_audio
from device.sound.synthesis import Voice, missing_programs
from services.bundles import chosen_bundle
from services.evaluate.figures import WordErrors
from services.evaluate.recogniser import Recogniser
from services.evaluate.speech_cache import SpeechCache
from services.evaluate.trial import Reply
from services.settings import Settings

VOICES = {
    "slt-hts": Voice("festival", "cmu_us_slt_arctic_hts"),
    "flite-slt": Voice("flite", "slt"),
    "espeak-ng": Voice("espeak", "en-us"),
}
"""By the name in a bundle's ``config.voice``."""
USUAL = {"linnet_mini": "flite-slt", "cascade": "espeak-ng"}


def source_voice(settings: Settings) -> str | None:
    """Its name; None where it is not known or cannot speak on this machine."""
    name = USUAL[settings.model.family]
    if settings.model.family != "cascade":
        name = _of_bundle(settings) or name
    voice = VOICES.get(name)
    return None if voice is None or missing_programs([voice.engine]) else name


def _of_bundle(settings: Settings) -> str | None:
    from device.bundle import Bundle

    try:
        value = Bundle.open(chosen_bundle(settings)).manifest.config.get("voice")
    except BundleError:
        return None  # the model's own opening says what is wrong with it
    return value if isinstance(value, str) else None


def reply_errors(replies: Sequence[Reply]) -> list[WordErrors]:
    return [WordErrors.between(reply.text, reply.heard) for reply in replies]


def source_errors(
    replies: Sequence[Reply], name: str, cache: SpeechCache, recogniser: Recogniser
) -> list[WordErrors]:
    """The same texts, said by the source voice.

    Raises:
        SynthesisError: it failed.
    """
    said = [(VOICES[name], reply.text) for reply in replies]
    cache.fill(said)
    return [
        WordErrors.between(text, recogniser.hear(read_audio(cache.path(voice, text))))
        for voice, text in said
    ]
