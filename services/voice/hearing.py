"""One utterance of ``linnet_mini``: what may have been said, judged while it is still spoken.

Each 320 ms block goes through the tokenizer; its letters advance the search through the home's
grammar, its codes are read by the language model, and the same sound goes to the second recogniser.
At the end of speech only a handful of candidates are left to be judged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from device.speech.language_model import Floats, LanguageModel
from device.speech.tokenizer import Heard, SpeechTokenizer
from services.language import prompt
from services.language.alphabet import decode
from services.language.calls import Call
from services.language.ctc_score import score_texts
from services.language.ctc_search import Candidate, CtcSearch
from services.language.grammar import Grammar
from services.language.vocabulary import Vocabulary
from services.voice.families.base import Pcm
from services.voice.rescoring import Scored
from services.voice.second_opinion import Hypotheses, PocketsphinxOpinion

CANDIDATES = 8  # sentences the tokenizer's search offers
UNFIT = -400.0  # natural log: a text that cannot be laid over the sound
ASKED = 2  # of them that a disagreeing second recogniser is asked about


@dataclass(frozen=True)
class Reading:
    """The second recogniser's choice, and its scores of others, per frame."""

    text: str
    call: Call
    ratio: float
    scores: dict[Call, float]


class Hearing:
    """The state of one utterance; fed by ``hear``, ended by ``judged``."""

    def __init__(
        self,
        tokenizer: SpeechTokenizer,
        lm: LanguageModel,
        vocabulary: Vocabulary,
        grammar: Grammar,
        opinion: PocketsphinxOpinion | None,
    ) -> None:
        self._tokenizer, self._lm, self._vocabulary = tokenizer, lm, vocabulary
        self._grammar, self._search = grammar, CtcSearch(grammar)
        self._behind: list[Floats] = []
        self._opinion = opinion
        if opinion is not None:
            opinion.start()
        self._logits: Floats = lm.read(prompt.user_speech_open(vocabulary))

    def hear(self, pcm: Pcm) -> None:
        for heard in self._tokenizer.hear(pcm):
            self._take(heard)
        if self._opinion is not None:
            self._opinion.hear(pcm)

    def _take(self, heard: Heard) -> None:
        self._search.advance(heard.letters)
        self._behind.append(heard.behind)
        if self._lm.room(len(heard.codes)):
            self._logits = self._lm.read(self._vocabulary.audio(heard.codes.tolist()))

    def complete(self) -> bool:
        """Whether what was said so far is a whole command: the endpointer may be quick."""
        return self._search.complete()

    def letters(self) -> str:
        """What was heard without any grammar; rough, for the transcript of what fits nothing."""
        return " ".join(decode(self._search.heard.argmax(axis=1).tolist()).split())

    def judged(self) -> list[Scored]:
        """End the utterance: what may have been said, and what each judge thinks of it."""
        for heard in self._tokenizer.finish():
            self._take(heard)
        self._logits = self._lm.read(prompt.user_speech_close(self._vocabulary))
        found = self._search.best(CANDIDATES)
        reading = self._ask(found)
        if reading is not None and reading.call not in {c.call for c in found}:
            found.append(self._as_candidate(reading, found))
        behind = self._read_behind([c.text for c in found])
        return [self._scored(c, reading, b) for c, b in zip(found, behind, strict=True)]

    def _ask(self, found: list[Candidate]) -> Reading | None:
        """The second recogniser's choice; where it disagrees, also its scores of the first ones."""
        if self._opinion is None:
            return None
        heard: Hypotheses = self._opinion.finish()
        first = heard.readings[0] if heard.readings else None
        if first is None or first.call is None:
            return None
        scores = {first.call: 0.0}
        if found and found[0].call != first.call:
            others = [c for c in found if c.call != first.call][:ASKED]
            own, *given = self._opinion.score([first.text, *(c.text for c in others)])
            for other, score in zip(others, given, strict=True):
                better = (score - own) / heard.frames if np.isfinite(own) else 0.0
                scores[other.call] = float(np.clip(better, -5.0, 5.0))
        return Reading(first.text, first.call, first.ratio, scores)

    def _as_candidate(self, reading: Reading, found: list[Candidate]) -> Candidate:
        relative = float(score_texts(self._search.heard, [reading.text], best_path=True)[0])
        floor = min((c.ctc_score for c in found), default=self._search.greedy_score) - 200.0
        score = max(self._search.greedy_score + relative, floor)
        read = self._grammar.read(reading.text)
        return Candidate(reading.text, reading.call, score, read[1] if read else 0.0)

    def _read_behind(self, texts: list[str]) -> list[float]:
        """How well each text fits what the codes kept, relative to the best reading of them."""
        if not texts or not self._behind:
            return [0.0] * len(texts)
        rows = np.concatenate(self._behind)
        best = float(rows.max(axis=1).sum())
        scores = score_texts(rows, texts, best_path=True) - best
        return [float(s) for s in np.maximum(scores, UNFIT)]

    def _scored(self, candidate: Candidate, reading: Reading | None, behind: float) -> Scored:
        call = candidate.call
        return Scored(
            candidate.text,
            call,
            candidate.ctc_score - self._search.greedy_score,
            self._lm_score(candidate.text, call),
            candidate.prior,
            reading.scores.get(call) if reading else None,
            reading.ratio if reading and reading.call == call else None,
            behind,
        )

    def _lm_score(self, text: str, call: Call) -> float:
        v = self._vocabulary
        ids = prompt.transcript(v, text) + prompt.call(v, call)
        return self._lm.score(ids, self._logits) if self._lm.room(len(ids)) else 0.0
