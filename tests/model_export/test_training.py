"""Training on a little speech: it starts, stops, resumes, and keeps what is held out out."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from device.sound.synthesis import HELD_OUT_ESPEAK, HELD_OUT_VOICES
from model_export.training import tokenizer as training
from model_export.training.augment import Scenery, augment, synthetic_room
from model_export.training.batches import SpeechSource
from model_export.training.corpus import Clip, read_shard, shard_names, write_shard
from model_export.training.run import Plan, keep
from model_export.training.text import commands, invented_home
from model_export.training.tokenizer import Run, load_tokenizer
from model_export.training.voices import training_voice
from services.language.held_out import held_out

CPU = torch.device("cpu")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    tones = (3_000 * np.sin(np.arange(16_000) / rng.uniform(3, 40, (12, 1)))).astype(np.int16)
    clips = [Clip(pcm, "turn on the lamp", "tone", None) for pcm in tones]
    write_shard(tmp_path / "corpus", "0000", clips)
    return tmp_path / "corpus"


def plan(out: Path, minutes: float) -> Plan:
    out.mkdir(exist_ok=True)
    return Plan(out, minutes, 1, 1e-3, weight_decay=0.0, clip=2.0, warmup=5, decay=1.8)


def test_a_run_that_was_stopped_goes_on_where_it_was(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    source = SpeechSource(corpus, tmp_path / "nothing", seed=1, real_share=0.0, seconds=6.0)
    source.refresh()
    batches = source.batches(strength=0.5)
    first = Run(0, plan(out, 1.0), torch.device("cpu"))
    for batch in islice(batches, 3):
        first.update(batch)
    first.save()
    again = Run(0, plan(out, 1.0), torch.device("cpu"))
    assert again.step == 3
    assert again.trained_s == pytest.approx(first.trained_s)
    for name, value in first.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name]), name
    assert load_tokenizer(out / "checkpoint.pt").cfg == first.model.cfg


def test_the_reply_voice_is_heard_in_training(corpus: Path, tmp_path: Path) -> None:
    replies, frames = tmp_path / "replies", 80
    replies.mkdir()
    row = {"stem": "000000", "voice": "flite-slt", "seconds": 0.8, "text": "the lamp is on"}
    (replies / "texts.jsonl").write_text(json.dumps(row) + "\n")
    np.savez(
        replies / "features.npz", lengths=np.array([frames]), pcm=np.ones(frames * 160, np.int16),
        mel=np.zeros((frames, 80), np.float16), pitch=np.zeros((2, frames), np.float32),
    )  # fmt: skip
    source = SpeechSource(
        corpus, tmp_path / "nothing", seed=1, real_share=0.0, seconds=6.0,
        voice=replies, reply_share=0.25,
    )  # fmt: skip
    source.refresh()
    texts = [text for batch in source.batches(strength=0.0) for text in batch.texts]
    assert 0.1 < texts.count("the lamp is on") / len(texts) < 0.4


def test_the_quantiser_starts_from_live_vectors_and_uses_many_codes(
    corpus: Path, tmp_path: Path
) -> None:
    source = SpeechSource(corpus, tmp_path / "nothing", seed=1, real_share=0.0, seconds=6.0)
    source.refresh()
    run = Run(0, plan(tmp_path / "out", 1.0), torch.device("cpu"))
    run.trained_s = 0.5 * 60  # half of the time is spent: the codebook is due
    batch = next(source.batches(strength=0.0))
    while not run.quantising:
        run.trained_s = 0.5 * 60
        run.update(batch)
    with torch.no_grad():
        codes = run.model(batch.mel).codes
    assert len(codes.unique()) > 10


def test_a_gradient_that_is_no_number_moves_nothing(tmp_path: Path) -> None:
    run = Run(0, plan(tmp_path / "out", 1.0), torch.device("cpu"))
    before = [p.detach().clone() for p in run.model.parameters()]
    bad = sum(p.sum() for p in run.model.parameters()) * float("nan")
    run.begin_step()
    assert run.learn(bad) is False
    assert all(torch.equal(a, b) for a, b in zip(before, run.model.parameters(), strict=True))


def test_no_held_out_call_is_ever_trained_on() -> None:
    lines = list(islice(commands(random.Random(1)), 3_000))
    assert not any(held_out(line.call) for line in lines if line.call)
    assert sum(line.call is not None for line in lines) == 3_000


def test_no_held_out_voice_ever_speaks_in_training() -> None:
    variants = ["m1", "f1", *HELD_OUT_ESPEAK]
    rng = random.Random(2)
    for _ in range(2_000):
        voice = training_voice(rng, variants)
        assert voice.label not in HELD_OUT_VOICES
        assert voice.name.rpartition("+")[2] not in HELD_OUT_ESPEAK


def test_no_two_things_in_an_invented_home_share_a_name() -> None:
    for seed in range(50):
        home = invented_home(random.Random(seed))
        names = [e.name for e in home.entities]
        assert len(set(names)) == len(names) >= 8


def test_a_shard_is_read_as_it_was_written(corpus: Path) -> None:
    assert shard_names(corpus) == ["0000"]
    clips = list(read_shard(corpus, "0000"))
    assert len(clips) == 12
    assert {len(c.pcm) for c in clips} == {16_000}
    assert clips[3].text == "turn on the lamp"


def test_a_shard_without_its_index_does_not_exist(corpus: Path) -> None:
    (corpus / "0000.json").unlink()
    assert shard_names(corpus) == []


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_augmented_speech_stays_speech_sized_and_finite(strength: float) -> None:
    rng = np.random.default_rng(3)
    pcm = (0.2 * np.sin(np.arange(16_000) / 9)).astype(np.float32)
    for _ in range(20):
        out = augment(pcm, rng, Scenery((), ()), [pcm], strength)
        assert np.isfinite(out).all()
        assert 0.8 < len(out) / len(pcm) < 1.2
        assert 0.001 < np.abs(out).max() <= 1.0


def test_a_room_begins_with_its_direct_path() -> None:
    room = synthetic_room(np.random.default_rng(1))
    assert room[0] == 1.0
    assert np.abs(room).argmax() == 0


def test_a_whole_run_ends_by_its_clock_with_a_checkpoint(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "cli"
    out.mkdir()
    chosen = Plan(out, 0.02, 1, 1e-3, weight_decay=0.0, clip=2.0, warmup=5, decay=1.8)
    training.train(0, chosen, corpus, tmp_path / "nothing")
    state = torch.load(out / "checkpoint.pt", weights_only=True)
    assert state["step"] > 0
    assert state["trained_s"] >= 0.02 * 60


def test_kept_weights_begin_a_new_run(corpus: Path, tmp_path: Path) -> None:
    first = Run(0, plan(tmp_path / "first", 1.0), torch.device("cpu"))
    first.quantising = True
    first.step = 7
    first.save()
    keep(tmp_path / "first/checkpoint.pt", tmp_path / "weights.pt")
    again = Run(0, replace(plan(tmp_path / "second", 1.0), init=tmp_path / "weights.pt"), CPU)
    assert (again.step, again.quantising) == (0, True)
    for name, value in first.model.state_dict().items():
        torch.testing.assert_close(again.model.state_dict()[name], value, atol=5e-3, rtol=2e-3)
