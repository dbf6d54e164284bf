"""What the tokenizer is calibrated on is worked out as it is needed: long speech is not kept."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch

from device.engine.onnx_cpu import OnnxCpuEngine
from model_export.families.glm_4_voice.export import RECIPES
from model_export.families.glm_4_voice.speech import Heard, TokenizerFeeds, tokenizer_feeds
from model_export.families.glm_4_voice.tokenizer import Tokenizer, TokenizerConfig
from model_export.families.glm_4_voice.tokenizer_graph import export_tokenizer
from model_export.gates import Gate, measured
from model_export.onnx_graph import load
from model_export.parts import unpacked

SMALL = TokenizerConfig(dim=128, heads=2, ffn=64, layers=2, codes=64, block=100)
SECONDS = 30
PAST = 50 * SECONDS * SMALL.layers * 2 * SMALL.dim * 4
"""Bytes of keys and values after a clip."""


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("tokenizer") / "float.onnx"
    export_tokenizer(Tokenizer(SMALL).eval(), path)
    return path


@pytest.fixture(scope="module")
def feeds(graph):
    """Of five clips of half a minute, and a short one."""
    engine = OnnxCpuEngine(unpacked("tokenizer", graph, "fp32", RECIPES["tokenizer"].profile))
    rng = np.random.default_rng(0)
    lengths = [SECONDS * 16_000] * 5 + [7_000]
    pcm = [0.1 * rng.standard_normal(length).astype(np.float32) for length in lengths]
    return TokenizerFeeds(engine, Heard(pcm), SMALL.block_mels)


def test_five_long_clips_take_the_memory_of_one(feeds):
    tracemalloc.start()
    try:
        grown = sum(values.nbytes for fed in feeds for values in fed.values())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown > 5 * 6 * PAST  # what a list of copies would hold
    assert peak < 2 * PAST + 30 * 2**20  # a clip, the one before it, and log-mel at work


def test_every_pass_feeds_the_same_and_as_many_runs_as_it_says(feeds):
    once, again = iter(feeds), iter(feeds)
    runs = 0
    for fed, same in zip(once, again, strict=True):
        runs += 1
        assert fed.keys() == same.keys()
        assert all(np.array_equal(fed[name], same[name]) for name in fed)
    assert len(feeds) == runs == 5 * 15 + 1


def test_the_gate_goes_through_them_twice(graph, feeds):
    model = load(graph)
    assert measured(model, model, feeds, Gate("codes", "agreement", 1.0)) == 1.0


def test_a_minute_is_kept_and_more_is_worked_out_anew(feeds):
    minute = Heard(feeds.heard.pcm[:2])
    kept = tokenizer_feeds(feeds.engine, feeds.block, minute)
    assert isinstance(kept, list), "and so the engine may go"
    anew = TokenizerFeeds(feeds.engine, minute, feeds.block)
    for fed, same in zip(kept, anew, strict=True):
        assert fed.keys() == same.keys()
        assert all(np.array_equal(fed[name], same[name]) for name in fed)
    assert isinstance(tokenizer_feeds(feeds.engine, feeds.block, feeds.heard), TokenizerFeeds)
