"""``--set held-out`` and ``held-out-wide``: voices and calls never trained on, synthesised once.

Functions are drawn by how often a home hears them (``sample.FREQUENCY``), then a sentence of the
random walk whose call is held out and means one thing only in its home. Beside them: talk that is
not for the home, by the same voices, and recordings of people where ``SHARED/audio`` exists.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from device.sound.synthesis import Voice, held_out_voice
from services.evaluate.directory_set import read_directory
from services.evaluate.sets import EvaluationSet, Utterance
from services.evaluate.speech_cache import SpeechCache
from services.evaluate.talk import other_talk
from services.language.calls import Call
from services.language.grammar import Grammar, compile_grammar, first_grammar
from services.language.held_out import has_value, held_out
from services.language.homeview import HomeView
from services.language.sample import FREQUENCY, sample
from services.language.spoken_sentences import WIDE
from services.language.templates import Template, first_templates, templates

COMMANDS, OTHERS = 630, 200
SEED = 20_250
WITH_VALUES = ("HassTurnOn", "HassTurnOff", "HassLightSet", "HassGetState", "HassStartTimer")
WIDER = tuple(dict.fromkeys(said.topic for said in WIDE))
TRIES = 400  # draws until a home is held to have no such held-out sentence left
PEOPLE = ("cmd_coffee_en", "cmd_home_multi")
"""Sets of ``SHARED/audio`` whose clips without a command join the talk."""


@dataclass(frozen=True)
class Draw:
    """What the sentences of a set are drawn from."""

    name: str
    topics: tuple[str, ...]
    """Rows of ``FREQUENCY``."""
    templates: Callable[[], tuple[Template, ...]]
    grammar: Callable[[HomeView], Grammar]
    """In which a sentence must mean its call alone."""
    valueless: bool
    """Whether calls without a value, which cannot be held out, are drawn as well."""


FIRST = Draw("held-out", WITH_VALUES, first_templates, first_grammar, False)
"""Never changed: the same seed has given the same sentences since the first release."""
WIDE_DRAW = Draw("held-out-wide", WIDER, templates, compile_grammar, True)
"""What can be said since: only the voices are new to all of it."""
DRAWS = {draw.name: draw for draw in (FIRST, WIDE_DRAW)}


def sentences(
    homes: Sequence[HomeView], count: int, seed: int = SEED, draw: Draw = FIRST
) -> Iterator[tuple[int, str, Call]]:
    """``count`` times (home, sentence, call); no sentence twice in a home."""
    rng = random.Random(seed)
    seen: set[tuple[int, str]] = set()
    for number in range(count):
        yield _sentence(rng, homes, number % len(homes), seen, draw)


def _sentence(
    rng: random.Random, homes: Sequence[HomeView], home: int, seen: set[tuple[int, str]], draw: Draw
) -> tuple[int, str, Call]:
    weights = [FREQUENCY[name] for name in draw.topics]
    for _ in range(50):
        topic = rng.choices(draw.topics, weights)[0]
        for _ in range(TRIES):
            drawn = sample(rng, homes[home], frozenset({topic}), draw.templates())
            if drawn is None or not _fair(drawn[1], draw) or (home, drawn[0]) in seen:
                continue
            # "turn off the office light" may mean a lamp of that name or the room's lights.
            if draw.grammar(homes[home]).interpret(drawn[0]) == drawn[1]:
                seen.add((home, drawn[0]))
                return home, *drawn
    raise ValueError(f"home {home} has no held-out sentences left")


def _fair(call: Call, draw: Draw) -> bool:
    return held_out(call) or (draw.valueless and not has_value(call))


def held_out_set(
    homes: Sequence[HomeView],
    shared: Path,
    limit: int | None,
    cache: SpeechCache,
    tell: Callable[[int, int], None],
    seed: int = SEED,
    draw: Draw = FIRST,
) -> EvaluationSet:
    """The set, its sound on disk; another ``seed`` gives another draw, for tuning.

    Args:
        shared: folder with ``text`` and ``audio``; need not exist.
        limit: only so many commands and so many other utterances.
        tell: called with (sentences made, to be made) while speech is synthesised.

    Raises:
        SynthesisError: a voice is missing.
        SetError: a file in ``shared`` is broken.
    """
    commands = list(sentences(homes, min(COMMANDS, limit or COMMANDS), seed, draw))
    rng = random.Random(seed + 1)
    others = other_talk(shared / "text", OTHERS, rng)[:limit]
    voices = [held_out_voice(rng) for _ in range(COMMANDS + OTHERS)]
    told = list(zip(voices, (text for _, text, _ in commands), strict=False))
    aside = list(zip(voices[COMMANDS:], others, strict=False))
    cache.fill([*told, *aside], tell)
    utterances = [
        Utterance(n, cache.path(*said), "command", home, said[1], call, said[0].engine)
        for n, (said, (home, _, call)) in enumerate(zip(told, commands, strict=True))
    ]
    utterances += [_aside(COMMANDS + n, said, cache) for n, said in enumerate(aside)]
    utterances += _people(shared / "audio", homes[0], limit)
    return EvaluationSet(draw.name, homes, utterances)


def _aside(number: int, said: tuple[Voice, str], cache: SpeechCache) -> Utterance:
    return Utterance(number, cache.path(*said), "other", 0, said[1], None, said[0].engine)


def _people(audio: Path, home: HomeView, limit: int | None) -> list[Utterance]:
    found: list[Utterance] = []
    for name in PEOPLE:
        if (audio / name / "manifest.jsonl").is_file():
            found += read_directory(audio / name, home).of("other")
    return found[:limit]
