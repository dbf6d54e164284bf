"""The likeliest sentences of a grammar while somebody still speaks: CTC token passing in numpy.

    search = CtcSearch(grammar)
    search.advance(log_probabilities)        # float32[frames, 29] at 50 Hz, any number at a time
    search.best(8)                           # candidates with distinct calls, at any moment

Every word in front of a given node is spelled once, however many arcs carry it: entering it takes
the best of them. A letter has two states, the letter and the blank after it; a node has two, the
space and the blank after it. All states advance together, frame by frame; what has been heard
never changes, so any chunking gives the same result.

A state's value is one int64: the score in its upper half, the number of the last word entry in
its lower, so that one maximum takes score and history alike. Scores count from the best symbol of
each frame: a path's score is its likelihood ratio against the unconstrained (greedy) reading.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.language import alphabet
from services.language.calls import Call
from services.language.ctc_score import score_texts
from services.language.ctc_states import Layout, lay_states
from services.language.grammar import Grammar, Path

FloatRows = NDArray[np.float32]
Packed = NDArray[np.int64]

_SCALE = 1024.0  # score steps per nat
_SHIFT = 32
_HISTORY = (1 << _SHIFT) - 1
_FLOOR = -20.0  # nats; less than this per frame tells nothing more
_NEVER = -(1 << 29) << _SHIFT
_VARIED = 3  # paths whose numbers are varied
MAX_FRAMES = 3000  # one minute; scores cannot overflow within it


@dataclass(frozen=True)
class Candidate:
    """One sentence the grammar allows and how well it fits what was heard."""

    text: str
    call: Call
    ctc_score: float
    """Natural log of the best alignment's probability."""
    prior: float
    """Natural log of the sentence's probability before anything was heard."""


class CtcSearch:
    """The state of one utterance in one grammar."""

    def __init__(self, grammar: Grammar, prior_weight: float = 1.0) -> None:
        """``prior_weight`` scales the grammar's log probabilities within the search."""
        self._grammar = grammar
        self._prior_weight = prior_weight
        self._layout: Layout = lay_states(grammar)
        weights = np.rint(grammar.weight * prior_weight * _SCALE).astype(np.int64)
        self._entry_weight: Packed = weights[self._layout.arc_order] << _SHIFT
        weights = np.rint(grammar.end_weight * prior_weight * _SCALE).astype(np.int64)
        self._end_weight: Packed = weights << _SHIFT
        self._ending = self._layout.last[np.isin(self._layout.last_target, grammar.end_node)]
        self.reset()

    def reset(self) -> None:
        """Forget the utterance."""
        layout = self._layout
        self._letter = np.full(layout.states, _NEVER, np.int64)
        self._blank = np.full(layout.states, _NEVER, np.int64)
        self._space = np.full(self._grammar.nodes, _NEVER, np.int64)
        self._after = np.full(self._grammar.nodes, _NEVER, np.int64)
        self._after[0] = _HISTORY  # the start: nothing said, score 0, no history
        self._arrived = np.full(self._grammar.nodes, _NEVER, np.int64)
        self._entries: list[NDArray[np.uint32]] = []
        self._heard: list[FloatRows] = []
        self.greedy_score = 0.0
        """Log probability of the best symbol of every frame: the unconstrained loop."""
        self.frames = 0

    def advance(self, log_probabilities: FloatRows) -> None:
        """Take frames: float32[n, 29] natural log probabilities.

        Raises:
            ValueError: the rows have not 29 columns, or the utterance exceeds ``MAX_FRAMES``.
        """
        rows = np.asarray(log_probabilities, np.float32)
        if rows.ndim != 2 or rows.shape[1] != alphabet.SIZE:
            raise ValueError(f"log probabilities of shape {rows.shape}, want [n, {alphabet.SIZE}]")
        if self.frames + len(rows) > MAX_FRAMES:
            raise ValueError(f"an utterance of more than {MAX_FRAMES} frames")
        if not len(rows):
            return
        best = rows.max(axis=1, keepdims=True)
        # One frame at a time, so that the sum is the same for any chunking.
        for value in best[:, 0]:
            self.greedy_score += float(value)
        relative = np.maximum(rows - best, _FLOOR)
        steps = np.rint(relative * _SCALE).astype(np.int64) << _SHIFT
        for row in steps:
            self._step(row)
        self._heard.append(relative)

    def _step(self, row: Packed) -> None:
        layout, letter, blank = self._layout, self._letter, self._blank
        entered = self._enter()
        # The best of letter and blank-after-it, one frame ago: what the next letter follows.
        onward = np.maximum(letter, blank)
        doubled = blank[layout.doubled_from]  # the same letter twice needs a blank between
        np.add(onward, row[alphabet.BLANK], out=blank)
        before = letter[layout.doubled]
        for place, previous, count in layout.blocks:
            here = letter[place : place + count]
            came = entered[:count] if previous < 0 else onward[previous : previous + count]
            np.maximum(here, came, out=here)
        letter[layout.doubled] = np.maximum(before, doubled)
        letter += row[layout.symbols]
        # A space may follow words that ended a frame ago.
        spaced = np.maximum(self._space, self._after)
        np.maximum(self._space, self._arrived, out=self._space)
        self._space += row[alphabet.SPACE]
        np.add(spaced, row[alphabet.BLANK], out=self._after)
        ended = np.maximum(letter[layout.last], blank[layout.last])
        self._arrived[layout.arrival_nodes] = np.maximum.reduceat(ended, layout.arrival_starts)
        self.frames += 1

    def _enter(self) -> Packed:
        """Packed scores with which each spelled word may begin now; remembers where from."""
        layout = self._layout
        ready = np.maximum(self._space, self._after)
        came = np.maximum.reduceat(
            ready[layout.arc_source] + self._entry_weight, layout.entry_starts
        )
        self._entries.append((came & _HISTORY).astype(np.uint32))
        return (came & ~_HISTORY) | layout.numbers + self.frames * layout.count

    @property
    def heard(self) -> FloatRows:
        """float32[frames, 29], each frame relative to its best symbol."""
        return np.concatenate([np.zeros((0, alphabet.SIZE), np.float32), *self._heard])

    def best(self, count: int, values: bool = True) -> list[Candidate]:
        """Up to ``count`` candidates with distinct calls, the likeliest first.

        The search itself keeps the best sentence of each meaning. With ``values`` the other
        numbers and colours of the first few are scored against what was heard and compete too.
        """
        paths = self._best_paths(count)
        found = [self._candidate(path, score) for path, score in paths]
        if values:
            others = {o for path, _ in paths[:_VARIED] for o in self._grammar.variants(path)}
            said = sorted(others - {path for path, _ in paths})
            scores = score_texts(self.heard, [self._grammar.text(p) for p in said], best_path=True)
            found += [
                self._candidate(path, score + self._prior_weight * self._grammar.prior(path))
                for path, score in zip(said, scores.tolist(), strict=True)
                if score > -np.inf
            ]
        found.sort(key=lambda c: -(c.ctc_score + self._prior_weight * c.prior))
        distinct: dict[Call, Candidate] = {}
        for candidate in found:
            distinct.setdefault(candidate.call, candidate)
        return list(distinct.values())[:count]

    def margin(self) -> float:
        """Nats by which the best complete sentence beats the best unfinished one."""
        unfinished = np.maximum(self._letter, self._blank)
        unfinished[self._ending] = _NEVER
        others = (unfinished, self._space, self._after)
        best = max(int(values.max(initial=_NEVER)) for values in others)
        complete = int(self._complete().max(initial=_NEVER))
        return float((complete >> _SHIFT) - (best >> _SHIFT)) / _SCALE

    def complete(self, margin: float = 4.0) -> bool:
        """Whether what was said is a whole sentence, by ``margin`` nats."""
        return self.frames > 0 and self.margin() >= margin

    def _complete(self) -> Packed:
        """Packed scores of ending now, by entry of the grammar's end arrays."""
        return self._arrived[self._grammar.end_node] + self._end_weight

    def _best_paths(self, count: int) -> list[tuple[Path, float]]:
        """The best path of each of the ``count`` likeliest meanings, with its total score."""
        complete = self._complete()
        chosen: dict[int, int] = {}
        for end in np.argsort(-complete, kind="stable"):
            if complete[end] < _NEVER >> 1 or len(chosen) == count:
                break
            chosen.setdefault(int(self._grammar.end_meaning[end]), int(end))
        return [
            (self._path(int(complete[end]) & _HISTORY), (int(complete[end]) >> _SHIFT) / _SCALE)
            for end in chosen.values()
        ]

    def _path(self, history: int) -> Path:
        """The arcs that led to a word entry, from the first on."""
        spellings: list[int] = []
        while history != _HISTORY:
            frame, spelling = divmod(history, self._layout.count)
            spellings.append(spelling)
            history = int(self._entries[frame][spelling])
        spellings.reverse()
        nodes = (0, *(int(self._layout.target[s]) for s in spellings))
        return tuple(self._layout.arcs[place] for place in zip(nodes, spellings, strict=False))

    def _candidate(self, path: Path, total: float) -> Candidate:
        prior = self._grammar.prior(path)
        ctc_score = self.greedy_score + total - self._prior_weight * prior
        return Candidate(self._grammar.text(path), self._grammar.said(path), ctc_score, prior)
