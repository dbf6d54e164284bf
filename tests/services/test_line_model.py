"""A language model reads what no template fits: a tiny one, taught in seconds, really exported."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from device.bundle import Bundle
from device.engine.factory import EngineFactory
from device.speech.language_model import LanguageModel
from model_export.families.glm import Glm, GlmConfig, causal_mask
from model_export.families.glm_graph import export_glm
from model_export.pack import PartSource, pack
from model_export.training.lm import pad
from model_export.training.sequences import typing
from model_export.training.text import Line
from services.evaluate.intents_home import merged_home
from services.language.calls import Call
from services.language.fast_path import FastPath
from services.language.line_guess import Guess, LineGuess
from services.language.vocabulary import Vocabulary
from services.line_model import LateGuess, line_guess
from services.typed import Read, TypedLines
from tests.support.bundle_head import head

HOME = merged_home("en")
PATH = FastPath("en")
CODES = 8
VOCABULARY = Vocabulary.of({bytes([n]): n for n in range(256)}, CODES)
OFF = Call.of("HassTurnOff", name="desk lamp")
DIM = Call.of("HassLightSet", name="counter lamp", brightness=40)
UNLOCK = Call.of("HassTurnOff", name="front door")
TAUGHT = (
    Line("desk lamp off now would be great", OFF),
    Line("plz cuonter lamp to forty", DIM),
    Line("let me in by the front dor", UNLOCK),
    Line("reading lihgt off would be great", Call.of("HassTurnOff", name="reading light")),
    Line("what a nice desk lamp", None),
    Line("the front door is green", None),
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder: Path = tmp_path_factory.mktemp("line")
    export_glm(_taught(), folder / "lm.onnx")
    ranks = folder / "ranks.tiktoken"
    ranks.write_text(_ranks())
    config = {"codes": CODES, "lm_max_len": 256, "typed_accept": -0.2}
    made = head().model_copy(update={"config": config})
    return pack(
        folder / "bundle", made, {"lm": PartSource(folder / "lm.onnx", "fp32")},
        {"vocabulary": ranks},
    )  # fmt: skip


def _ranks() -> str:
    return "".join(f"{base64.b64encode(bytes([n])).decode()} {n}\n" for n in range(256))


def _taught() -> Glm:
    """Over-fitted to six lines."""
    torch.manual_seed(1)
    glm = Glm(GlmConfig(vocab=VOCABULARY.size, dim=64, layers=2, heads=4, kv_heads=2, head_dim=16,
                        ffn=96, max_len=256))  # fmt: skip
    ids, _, judged = pad([typing(VOCABULARY, line) for line in TAUGHT])
    length = ids.shape[1] - 1
    optimiser = torch.optim.AdamW(glm.parameters(), 4e-3)
    for _ in range(120):
        hidden, _ = glm(ids[:, :-1], torch.arange(length), causal_mask(length))
        logits = glm.output_layer(hidden[judged[:, 1:]])
        loss = F.cross_entropy(logits, ids[:, 1:][judged[:, 1:]])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.05
    return glm.eval()


@pytest.fixture(scope="module")
def guess(bundle: Bundle) -> LineGuess:
    made = line_guess(bundle)
    assert made is not None
    return made


def read(guess: LineGuess | LateGuess, *said: str) -> list[Read]:
    lines = TypedLines(PATH, guess)
    return [lines.read(text, HOME.view, HOME.entities) for text in said]


def test_no_template_fits_what_is_taught_here() -> None:
    for line in TAUGHT:
        assert PATH.understand(line.text, HOME.view).miss == "not_understood"


def test_a_line_no_template_fits_becomes_the_call_the_model_writes(guess: LineGuess) -> None:
    off, dim = read(guess, "desk lamp off now would be great", "plz cuonter lamp to 40")
    assert off == Read(OFF, "unsure", guessed=True)
    assert dim == Read(DIM, "unsure", guessed=True)


def test_a_guess_is_carried_out_only_when_the_next_line_agrees(guess: LineGuess) -> None:
    hasty = "desk lamp off now would be great"
    _, agreed, again = read(guess, hasty, "yes", "yes")
    assert (agreed.call, agreed.error, agreed.guessed) == (OFF, None, False)
    assert again.error == "not_understood"
    _, other, late = read(guess, hasty, "turn off the desk lamp", "yes")
    assert (other.call, other.guessed) == (OFF, False)
    assert late.error == "not_understood"


def test_talk_stays_a_refusal(guess: LineGuess) -> None:
    (talk,) = read(guess, "what a nice desk lamp")
    assert (talk.call.name, talk.error, talk.guessed) == ("HassNevermind", "not_understood", False)


def test_a_line_the_model_is_not_sure_of_stays_a_refusal(bundle: Bundle) -> None:
    strict = line_guess(bundle, accept=0.0)
    assert strict is not None
    (read_,) = read(strict, "desk lamp off now would be great")
    assert read_.error == "not_understood"


def test_a_guess_that_names_two_devices_is_asked_about(guess: LineGuess) -> None:
    asked, answered = read(guess, "reading lihgt off would be great", "the bedroom")
    assert asked.error == "ambiguous"
    assert answered.call == Call.of(
        "HassTurnOff", name="reading light", area="bedroom", domain="light"
    )


def test_what_a_template_fits_is_never_guessed() -> None:
    class Never:
        def guess(self, text: str, view: object) -> Guess:
            raise AssertionError("asked")

    lines = TypedLines(PATH, Never())
    assert lines.read("turn off the desk lamp", HOME.view, HOME.entities).call == OFF
    assert lines.read("open the desk lamp", HOME.view, HOME.entities).error == "unsupported"


def test_a_line_that_takes_too_long_is_refused(bundle: Bundle) -> None:
    engine, now = EngineFactory("onnx")(bundle, "lm"), iter(range(100))
    slow = LineGuess(
        lambda: LanguageModel(engine, 256), VOCABULARY, -9.0, clock=lambda: float(next(now))
    )
    assert slow.guess("desk lamp off now would be great", HOME.view) == Guess()


def test_each_line_is_a_conversation_of_its_own(guess: LineGuess) -> None:
    first, _, again = read(guess, *([TAUGHT[0].text, "plz cuonter lamp to 40", TAUGHT[0].text]))
    assert first == again


def test_a_room_nobody_knows_is_not_every_room() -> None:
    """The command fits but for its room: a guess without a room would be too much."""

    class Broad:
        def guess(self, text: str, view: object, others: object = ()) -> Guess:
            return Guess((Call.of("HassTurnOff", domain="light"),), 0.0)

    lines = TypedLines(PATH, Broad())
    (library,) = (lines.read("turn off the library lights", HOME.view, HOME.entities),)
    assert library.error in ("no_area", "no_device")


def test_a_bundle_that_does_not_say_it_reads_typed_lines_is_not_asked(bundle: Bundle) -> None:
    silent = bundle.manifest.model_copy(update={"config": {"codes": CODES}})
    assert line_guess(replace(bundle, manifest=silent)) is None


def test_without_a_usable_bundle_lines_are_refused_as_before() -> None:
    def broken() -> LineGuess:
        raise ValueError("no such bundle")

    (refused,) = read(LateGuess(broken), "desk lamp off now would be great")
    assert refused.error == "not_understood"


def test_the_model_is_opened_once_and_only_when_a_line_needs_it(guess: LineGuess) -> None:
    opened: list[int] = []

    def opening() -> LineGuess:
        opened.append(1)
        return guess

    late = LateGuess(opening)
    read(late, "turn off the desk lamp")
    assert opened == []
    read(late, "desk lamp off now would be great", "what a nice desk lamp")
    assert opened == [1]
