"""A whole GLM-4-Voice, tiny and random: sound in, ids, sound out; streamed as at once."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.bundle import Bundle
from device.engine.contract import Array, Engine
from device.engine.factory import EngineFactory
from device.engine.states import EngineState
from device.speech.glm_frames import frames_of
from device.speech.glm_speaking import OPENING, GlmSpeaking, GlmVoice
from device.speech.glm_tokenizer import GlmTokenizer, codes_of
from services.language.calls import Call
from services.language.choices import calls_of
from services.language.glm_vocabulary import GlmVocabulary
from services.language.grammar import compile_grammar
from services.language.homeview import EntityView, HomeView
from services.language.outcome import DeviceResult, Outcome
from services.language.replies import replies
from services.language.sampling import Sampling
from services.language.schedule import InterleaveSchedule
from services.voice.families.base import AudioDelta, Event, FunctionCall, TextDelta, TurnEnd
from services.voice.families.glm_4_voice import CODE_SAMPLES, Glm4Voice, GlmSession
from tests.support.glm_bundle import tiny_glm

HOME = HomeView((EntityView("light.desk", "desk lamp", "light", "office"),), ("office",))
COMMAND = Call.of("HassTurnOn", name="desk lamp")
DONE = Outcome(COMMAND, (DeviceResult("light.desk", "desk lamp", "confirmed", "on"),))
FREE = Sampling(temperature=1.0, top_p=1.0)


class Watched:
    """Engines whose states are remembered, but not kept alive."""

    def __init__(self) -> None:
        self.states: dict[str, list[weakref.ref[EngineState]]] = {}
        self.runs: Counter[str] = Counter()
        self.parts = EngineFactory("onnx")

    def __call__(self, bundle: Bundle, part: str) -> Engine:
        states = self.states.setdefault(part, [])
        return _WatchedEngine(self.parts(bundle, part), states, part, self.runs)

    def alive(self, part: str) -> int:
        gc.collect()
        return sum(state() is not None for state in self.states[part])


class _WatchedEngine:
    def __init__(
        self,
        engine: Engine,
        states: list[weakref.ref[EngineState]],
        part: str,
        runs: Counter[str],
    ) -> None:
        self._part, self._runs = part, runs
        self.spec, self.backend, self._engine, self._states = (
            engine.spec, engine.backend, engine, states,
        )  # fmt: skip
        self.warm_up, self.close = engine.warm_up, engine.close

    def new_state(self, max_len: int, window: int | None = None) -> EngineState:
        state = self._engine.new_state(max_len, window)
        self._states.append(weakref.ref(state))
        return state

    def run(self, feeds: Mapping[str, Array], state: EngineState | None = None) -> dict[str, Array]:
        self._runs[self._part] += 1
        return self._engine.run(feeds, state)


class Order:
    """Draws 13 text ids and 26 codes in turns, as a trained model would, then the end."""

    def __init__(self, vocabulary: GlmVocabulary, codes: int) -> None:
        schedule, v = InterleaveSchedule(13, 26).cursor(), vocabulary
        self._ids: list[int] = []
        while codes:
            audio = schedule.advance() == "audio"
            self._ids.append(v.first_code + codes % v.codes if audio else 65)
            codes -= audio
        self._ids.append(v.tag("<|user|>"))

    def draw(self, logits: np.ndarray, allowed: np.ndarray) -> int:
        assert np.isfinite(logits).all()
        assert allowed[self._ids[0]]
        return self._ids.pop(0)


def orderly(model: Glm4Voice, codes: int) -> Glm4Voice:
    v = model.conversation.vocabulary
    return replace(model, drawing=lambda *_: Order(v, codes))


class Ticks:
    """A clock on which every look takes a millisecond: a quick machine, whatever runs here."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return tiny_glm()


@pytest.fixture
def engines() -> Watched:
    return Watched()


@pytest.fixture
def talker(bundle: Bundle, engines: Watched) -> Glm4Voice:
    """It makes no calls, and ends soon: ids are drawn as they come."""
    return replace(Glm4Voice.open(bundle, engines, calling=False, clock=Ticks()), sampling=FREE)


@pytest.fixture
def caller(bundle: Bundle, engines: Watched) -> Glm4Voice:
    return replace(Glm4Voice.open(bundle, engines), sampling=FREE)


def speech(seconds: float, seed: int = 0) -> np.ndarray:
    """Noise that swells and fades: any sound does where the words do not matter."""
    rng, samples = np.random.default_rng(seed), round(seconds * 16_000)
    swell = 0.6 + 0.4 * np.sin(np.arange(samples) / 3_000)
    return (0.1 * swell * rng.standard_normal(samples)).astype(np.float32)


def steady(seconds: float) -> np.ndarray:
    """Noise in which nobody falls quiet."""
    samples = round(seconds * 16_000)
    return np.random.default_rng(9).standard_normal(samples).astype(np.float32)


def sound_of(events: list[Event]) -> np.ndarray:
    return np.concatenate([e.pcm for e in events if isinstance(e, AudioDelta)] or [np.zeros(0)])


def text_of(events: list[Event]) -> str:
    return "".join(e.text for e in events if isinstance(e, TextDelta))


def heard_by(model: Glm4Voice, pcm: np.ndarray, size: int = 640) -> GlmSession:
    session = model.session(HOME)
    for at in range(0, len(pcm), size):
        session.hear(pcm[at : at + size])
    return session


@settings(max_examples=5, deadline=None)
@given(cuts=st.lists(st.integers(0, 540_000), max_size=12), quiet=st.booleans())
def test_codes_do_not_hang_on_how_the_sound_is_cut(
    bundle: Bundle, cuts: list[int], quiet: bool
) -> None:
    """Over a piece of 30 s and a part of the next; a loud end changes what was quiet before."""
    engine, pcm = EngineFactory("onnx")(bundle, "tokenizer"), speech(33.7)
    if quiet:
        pcm[:200_000] *= 1e-7
    whole = codes_of(engine, pcm)
    assert len(whole) == 375 + -(-(len(pcm) - 480_000) // 1_280)
    assert len(set(whole)) > 1
    assert codes_of(engine, *np.split(pcm, sorted(cuts))) == whole


def test_a_louder_sound_replaces_codes_but_not_where_the_scale_is_fixed(bundle: Bundle) -> None:
    engine, pcm = EngineFactory("onnx")(bundle, "tokenizer"), speech(6)
    pcm[:64_200] *= 1e-7
    for peak, firsts in ((None, [0, 0]), (1.0, [0, 50])):
        tokenizer = GlmTokenizer(engine, peak)
        found = [heard for part in np.split(pcm, [70_000]) for heard in tokenizer.hear(part)]
        assert [h.first for h in (*found, *tokenizer.finish())] == firsts


def test_a_whole_turn_is_the_same_however_the_sound_comes(bundle: Bundle) -> None:
    turns = []
    for size in (160, 5_000, 10**9):
        model = replace(Glm4Voice.open(bundle, EngineFactory("onnx"), calling=False), sampling=FREE)
        turns.append(list(heard_by(model, speech(5), size).respond([])))
    for turn in turns[1:]:
        assert text_of(turn) == text_of(turns[0])
        assert np.array_equal(sound_of(turn), sound_of(turns[0]))
    assert turns[0][-1] == TurnEnd("done")
    assert len(sound_of(turns[0])) > 0


def test_the_first_sound_waits_for_no_pass_over_the_weights_that_it_does_not_need(
    talker: Glm4Voice, engines: Watched
) -> None:
    """13 text ids and ten codes: 22 are read, the tenth is heard first; and one pass opens."""
    session = heard_by(orderly(talker, 26), speech(2))
    engines.runs.clear()
    events = session.respond([])
    first = next(e for e in events if isinstance(e, AudioDelta))
    assert engines.runs["lm"] == 1 + 13 + 9
    assert len(first.pcm) == 256 * OPENING
    rest = sound_of(list(events))
    assert len(first.pcm) + len(rest) == 256 * frames_of(26)
    assert engines.runs["lm"] == 1 + 13 + 26  # the model has read all that it said


def test_all_that_a_reply_needs_is_done_while_the_speaker_is_quiet(
    talker: Glm4Voice, engines: Watched
) -> None:
    talker, turns = orderly(talker, 12), []
    pause = int(0.16 * 16_000)
    for silent in (pause, 3 * pause):  # the second speaker is waited for longer
        spoken = np.append(speech(2), np.zeros(silent, np.float32))
        session = heard_by(talker, spoken)
        engines.runs.clear()
        events = session.respond([])
        assert next(events) == TextDelta("A")
        assert engines.runs == Counter()
        turns.append(sound_of(list(events)))
        session.commit(0)
        talker.conversation.forget()
    assert np.array_equal(*turns)


@pytest.mark.parametrize(("seconds", "then"), [(1.5, 0.2), (3.9, 0.2), (29.9, 0.2), (2.0, 0.01)])
def test_speech_that_goes_on_after_a_pause_is_heard_as_if_there_had_been_none(
    talker: Glm4Voice, seconds: float, then: float
) -> None:
    """In a block, across its end, across the end of a piece of 30 s; and softly."""
    pcm = np.concatenate([speech(seconds), np.zeros(6_400, np.float32), then * steady(1)])
    talker, lengths, turns = orderly(talker, 12), [], []
    for size in (640, 10**9):  # all at once nobody falls quiet
        session = heard_by(talker, pcm, size)
        turns.append(sound_of(list(session.respond([]))))
        lengths.append(session.history_length)
        talker.conversation.forget()
    assert lengths[0] == lengths[1]
    assert np.array_equal(*turns)


def test_what_was_done_ahead_is_not_kept_when_the_turn_is_dropped(talker: Glm4Voice) -> None:
    spoken = speech(4.5)
    dropped = heard_by(talker, spoken)
    dropped.commit(0)
    length = dropped.history_length
    talker.conversation.forget()
    ahead = heard_by(talker, np.append(spoken, np.zeros(3_200, np.float32)))
    assert ahead.history_length > length
    ahead.commit(0)
    assert ahead.history_length == length


def test_a_look_ahead_changes_no_code_that_follows(bundle: Bundle) -> None:
    engine, pcm = EngineFactory("onnx")(bundle, "tokenizer"), speech(9)
    tokenizer, codes = GlmTokenizer(engine), list[int]()
    for part in np.split(pcm, [40_000, 64_040, 100_000]):
        for heard in (*tokenizer.hear(part), *tokenizer.peek()):
            codes[heard.first :] = heard.codes.tolist()
        assert codes[: tokenizer.settled] == codes_of(engine, pcm)[: tokenizer.settled]
    assert codes == codes_of(engine, pcm)


def test_a_reply_lasts_exactly_as_long_as_its_codes(talker: Glm4Voice) -> None:
    session = heard_by(talker, speech(3))
    before = session.history_length
    events = list(session.respond([]))
    assert session.history_length > before
    pcm = sound_of(events)
    assert len(pcm) in {256 * frames_of(codes) for codes in range(1, 376)}
    assert np.abs(pcm).max() <= 0.99


def voice_of(bundle: Bundle) -> GlmVoice:
    return Glm4Voice.open(bundle, EngineFactory("onnx")).voice


@pytest.mark.parametrize("codes", [1, 4, 9, 10, 26, 80])
def test_blocks_of_any_size_give_all_the_sound(bundle: Bundle, codes: int) -> None:
    said = np.random.default_rng(codes).integers(0, 64, codes).tolist()
    for size in (10, 7, 26, 100):
        speaking = GlmSpeaking(voice_of(bundle), seed=1)
        parts = [speaking.say(said[at : at + size]) for at in range(0, codes, size)]
        pcm = np.concatenate([*parts, speaking.finish()])
        assert len(pcm) == 256 * frames_of(codes)
        assert np.isfinite(pcm).all()


def test_while_all_fits_into_the_window_the_window_changes_nothing(bundle: Bundle) -> None:
    voice = voice_of(bundle)
    said = np.random.default_rng(3).integers(0, 64, 60).tolist()
    sounds = []
    for widest in (64, 1_024):
        speaking = GlmSpeaking(replace(voice, widest=widest), seed=1)
        parts = [speaking.say(said[at : at + 20], last=at == 40) for at in (0, 20, 40)]
        sounds.append(np.concatenate(parts))
    assert np.array_equal(*sounds)


def test_the_model_may_only_choose_calls_this_home_understands(caller: Glm4Voice) -> None:
    known, made = set(calls_of(compile_grammar(HOME))), []
    for seed in range(4):
        session = heard_by(caller, speech(1, seed))
        events = list(session.respond([]))
        made += [e.call for e in events if isinstance(e, FunctionCall)]
        session.commit(0)
    assert set(made) <= known


def test_an_outcome_is_told_in_true_words_that_can_be_heard(caller: Glm4Voice) -> None:
    session = heard_by(caller, speech(1))
    list(session.respond([]))
    events = list(session.respond([DONE]))
    assert text_of(events) in replies(DONE)
    assert events[-1] == TurnEnd("done")
    assert len(sound_of(events)) > 0


def test_the_system_turn_comes_once_and_the_conversation_goes_on(talker: Glm4Voice) -> None:
    first = heard_by(talker, speech(1))
    opened = first.history_length
    events = list(first.respond([]))
    first.commit(len(sound_of(events)))
    kept = first.history_length
    second = talker.session(HOME)
    assert kept < second.history_length < kept + opened


def test_what_nobody_heard_is_not_in_the_history(talker: Glm4Voice) -> None:
    session = heard_by(talker, speech(1))
    list(session.respond([]))
    everything = session.history_length
    session.commit(3 * CODE_SAMPLES)
    after = session.history_length
    assert after < everything
    following = heard_by(talker, speech(1, 2))
    going_on = following.history_length
    session.commit(0)  # an older turn cuts nothing any more
    assert following.history_length == going_on > after


def test_a_turn_that_was_never_committed_is_forgotten(talker: Glm4Voice) -> None:
    fresh = talker.session(HOME).history_length
    heard_by(talker, speech(5)).cancel()
    assert talker.session(HOME).history_length == fresh


def test_barging_in_stops_at_once_and_frees_all_that_the_turn_held(
    talker: Glm4Voice, engines: Watched
) -> None:
    session = heard_by(talker, speech(5))
    list(session.respond([]))
    events: Iterator[Event] = session.respond([DONE])  # some seconds long, whatever is drawn
    first = next(e for e in events if isinstance(e, AudioDelta))
    assert engines.alive("flow_encoder") == 1
    session.cancel()
    assert list(events) == [TurnEnd("cancelled")]
    session.commit(len(first.pcm) // 2)
    del events
    assert engines.alive("flow_encoder") == 0
    assert engines.alive("tokenizer") == 0
    assert engines.alive("lm") == 1  # the conversation, which was cut


def test_a_bundle_with_broken_numbers_is_refused(bundle: Bundle) -> None:
    head = bundle.manifest.model_copy(update={"config": {"codes": "many"}})
    with pytest.raises(ValueError, match=r"config\.codes must be a whole number"):
        Glm4Voice.open(replace(bundle, manifest=head), EngineFactory("onnx"))
