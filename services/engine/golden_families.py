"""What the golden vectors of each family are made with: its own tokenizer, ids and voice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.engine.contract import Engine
from device.speech import glm_tokenizer, tokenizer
from device.speech.glm_flow import FlowEngines
from device.speech.glm_speaking import GlmSpeaking, GlmVoice
from device.speech.speaking import Speaking, Voice
from services.language.glm_vocabulary import GlmVocabulary
from services.language.vocabulary import Vocabulary

Floats = npt.NDArray[np.float32]
Engines = Mapping[str, Engine]
SEED = 1  # of the noise that GLM-4-Voice's voice begins with


@dataclass(frozen=True)
class FamilyTest:
    """How one family hears and speaks.

    Attributes:
        vocabulary: of its language model.
        codes: what its tokenizer, the engine, hears in float32[n] at 16 kHz.
        sound: what its voice makes of codes; the third is how many codes there are.
        most: codes that are fed to language model and voice; None for all. The processor that a
            large model is compared with needs seconds for each.
    """

    vocabulary: type[Vocabulary]
    codes: Callable[[Engine, Floats], list[int]]
    sound: Callable[[Engines, Sequence[int], int], Floats]
    most: int | None = None


def _mini_sound(engines: Engines, codes: Sequence[int], pad: int) -> Floats:
    speaking = Speaking(Voice(engines["speech_decoder"], engines["vocoder"], pad))
    pieces = [speaking.say(codes[at : at + 5]) for at in range(0, len(codes), 5)]
    return np.concatenate([*pieces, speaking.finish()])


def _glm_sound(engines: Engines, codes: Sequence[int], _: int) -> Floats:
    flow = FlowEngines(
        engines["flow_encoder"], engines["flow_regulator"], engines["flow_estimator"]
    )
    speaking = GlmSpeaking(GlmVoice(flow, engines["hift_pitch"], engines["hift_decode"]), SEED)
    pieces = [speaking.say(codes[at : at + 10]) for at in range(0, len(codes), 10)]
    return np.concatenate([*pieces, speaking.finish()])


FAMILIES: Mapping[str, FamilyTest] = {
    "linnet_mini": FamilyTest(Vocabulary, tokenizer.codes_of, _mini_sound),
    "glm_4_voice": FamilyTest(GlmVocabulary, glm_tokenizer.codes_of, _glm_sound, most=20),
}
