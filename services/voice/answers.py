"""Hearing a yes: the few words that agree, against the few that do not, and all other speech.

The home's grammar knows neither word, and the language model is not asked: the letters that the
tokenizer heard decide, and the second recogniser, where there is one, may object. A yes that is
missed costs a repetition; one that is made up opens a door, so doubt is a no.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from device.speech.language_model import LanguageModel
from device.speech.tokenizer import Heard, SpeechTokenizer
from services.language import prompt
from services.language.alphabet import SIZE, decode
from services.language.ctc_score import score_texts
from services.language.vocabulary import Vocabulary
from services.language.yes_no import NO, YES, says_no, says_yes
from services.voice.families.base import Pcm
from services.voice.second_opinion import PocketsphinxOpinion

FIT = -1.6
"""Natural log per letter, against the free reading of the same sound, below which it was something
else. At this level none of 579 clips without a yes was taken for one, and 56 of 72 synthetic
yeses were; chosen on those clips."""


class AnswerHearing:
    """One answer; fed by ``hear``, ended by ``finish``. Keeps the language model's turn as well."""

    def __init__(
        self,
        tokenizer: SpeechTokenizer,
        lm: LanguageModel,
        vocabulary: Vocabulary,
        opinion: PocketsphinxOpinion | None,
    ) -> None:
        self._tokenizer, self._lm, self._vocabulary = tokenizer, lm, vocabulary
        self._opinion = opinion
        if opinion is not None:
            opinion.start()
        self._letters = [np.zeros((0, SIZE), np.float32)]
        lm.read(prompt.user_speech_open(vocabulary))

    def hear(self, pcm: Pcm) -> None:
        self._take(self._tokenizer.hear(pcm))
        if self._opinion is not None:
            self._opinion.hear(pcm)

    def finish(self) -> str:
        """One of the known answers, or rough letters that are none of them."""
        self._take(self._tokenizer.finish())
        self._lm.read(prompt.user_speech_close(self._vocabulary))
        letters = np.concatenate(self._letters)
        text = best_answer(letters)
        if text is None or (says_yes(text) and self._objects()):
            rough = " ".join(decode(letters.argmax(axis=1)).split())
            # Letters alone are no agreement, even where they happen to spell one.
            return "" if says_yes(rough) else rough
        return text

    def _take(self, heard: Sequence[Heard]) -> None:
        for one in heard:
            self._letters.append(one.letters)
            if self._lm.room(len(one.codes)):
                self._lm.read(self._vocabulary.audio(one.codes.tolist()))

    def _objects(self) -> bool:
        """Whether the second recogniser is sure to have heard a no."""
        reading = self._opinion.among([*YES, *NO]) if self._opinion is not None else None
        if self._opinion is None or reading is None:
            return False
        return says_no(reading.text) and reading.ratio >= self._opinion.settings.accept


def best_answer(letters: np.ndarray) -> str | None:
    """The known answer that fits best, if it fits at all.

    Args:
        letters: float32[frames, 29], natural log probabilities.
    """
    if not len(letters):
        return None
    texts = [*YES, *NO]
    scores = score_texts(letters, texts, best_path=True)
    best = int(scores.argmax())
    fit = (scores[best] - letters.max(axis=1).sum()) / len(texts[best])
    return texts[best] if fit >= FIT else None
