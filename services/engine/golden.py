"""Known inputs and what must come out: the shipped utterance, half of it, and the same quieter.

The tokens of the whole utterance stand in the manifest. Everything else is compared with the
processor's answers to the same inputs. INT8 rounds a little differently from one machine to the
next, so codes and choices must agree almost always, not always.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.bundle import Bundle
from device.engine.contract import Engine
from device.sound.files import read_audio
from device.speech.language_model import LanguageModel
from services.engine.checks import Check, Figures
from services.engine.golden_families import FAMILIES, FamilyTest
from services.language.vocabulary import Vocabulary

Floats = npt.NDArray[np.float32]
Engines = Mapping[str, Engine]

# Ours, chosen before an Orin was at hand; the processor against itself reaches 1, 1 and infinity.
LEAST_CODES, LEAST_TOP1, LEAST_DB = 0.95, 0.95, 20.0
LONGEST_S = 60.0


@dataclass(frozen=True)
class Golden:
    """The inputs and the few facts of a bundle that turn them into a model's own."""

    sounds: Mapping[str, Floats]
    vocabulary: Vocabulary
    max_len: int
    tokens: tuple[int, ...]
    family: FamilyTest

    @classmethod
    def of(cls, bundle: Bundle) -> Golden | None:
        """Those of a bundle; None for one without a self-test or of a family not known here.

        Raises:
            BundleError, AudioError: its files are missing or cannot be read.
        """
        manifest, family = bundle.manifest, FAMILIES.get(bundle.manifest.family)
        if family is None or manifest.self_test is None:
            return None
        names = [k for k, v in manifest.files.items() if v.file == manifest.self_test.file]
        pcm = read_audio(bundle.file(names[0]), LONGEST_S)
        half = np.float32(0.5)
        sounds = {"whole": pcm, "first half": pcm[: len(pcm) // 2], "quieter": pcm * half}
        codes, room = (int(str(manifest.config[key])) for key in ("codes", "lm_max_len"))
        vocabulary = family.vocabulary.load(bundle.file("vocabulary"), codes)
        return cls(sounds, vocabulary, room, manifest.self_test.tokens, family)

    def codes(self, engines: Engines, sound: str) -> list[int]:
        """What the tokenizer hears."""
        return self.family.codes(engines["tokenizer"], self.sounds[sound])

    def choices(self, engines: Engines, codes: Sequence[int]) -> list[int]:
        """What the language model expects most after each of the first codes."""
        lm = LanguageModel(engines["lm"], self.max_len)
        tokens = self.vocabulary.audio(list(codes[: self.family.most]))
        return [int(lm.read([token]).argmax()) for token in tokens]

    def sound(self, engines: Engines, codes: Sequence[int]) -> Floats:
        """What the voice makes of the first codes."""
        return self.family.sound(engines, codes[: self.family.most], self.vocabulary.codes)


def against_the_manifest(golden: Golden, engines: Engines, exact: bool) -> Check:
    """The whole utterance's tokens; on the processor they must be those, on a GPU almost."""
    share = agreement(golden.codes(engines, "whole"), golden.tokens)
    least = 1.0 if exact else LEAST_CODES
    detail = f"{share:.1%} of {len(golden.tokens)} tokens are the manifest's (at least {least:.0%})"
    return Check("golden tokens", share >= least, detail, {"agreement": share})


def against_the_processor(golden: Golden, gpu: Engines, cpu: Engines) -> list[Check]:
    """Every part on all three inputs."""
    codes = {sound: golden.codes(cpu, sound) for sound in golden.sounds}

    def heard(sound: str) -> float:
        return agreement(golden.codes(gpu, sound), codes[sound])

    def chosen(sound: str) -> float:
        return agreement(*(golden.choices(each, codes[sound]) for each in (gpu, cpu)))

    def voiced(sound: str) -> float:
        return decibels(golden.sound(gpu, codes[sound]), golden.sound(cpu, codes[sound]))

    return [
        _least("tokenizer", "share of codes", LEAST_CODES, codes, heard),
        _least("lm", "share of first choices", LEAST_TOP1, codes, chosen),
        _least("voice", "dB over the difference", LEAST_DB, codes, voiced),
    ]


def _least(
    part: str, what: str, least: float, sounds: Mapping[str, object], of: Callable[[str], float]
) -> Check:
    found: Figures = {sound: round(of(sound), 4) for sound in sounds}
    worst = min(float(str(value)) for value in found.values())
    detail = f"{what} as on the processor: worst of {len(found)} is {worst:.4g} (at least {least})"
    return Check(f"golden vectors, {part}", worst >= least, detail, found)


def agreement(found: Sequence[int], wanted: Sequence[int]) -> float:
    """Share of places with the same value, of the longer sequence; 1 for two empty ones."""
    longer = max(len(found), len(wanted))
    same = sum(a == b for a, b in zip(found, wanted, strict=False))
    return same / longer if longer else 1.0


def decibels(found: Floats, wanted: Floats) -> float:
    """How far the sound lies above its difference from the wanted one, at most 200."""
    if found.shape != wanted.shape or not np.isfinite(found).all():
        return -200.0
    power, error = (float(np.square(x, dtype=np.float64).sum()) for x in (wanted, found - wanted))
    return float(np.clip(10 * np.log10(max(power, 1e-20) / max(error, 1e-20)), -200, 200))
