"""A rounded part is judged by speech that did not set its ranges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model_export.families.glm import Glm, GlmConfig
from model_export.families.glm_4_voice.speech import Heard
from model_export.families.glm_layers import calibrate
from model_export.families.linnet_mini.export import Checkpoints, Speech, _Job
from model_export.gates import Gate, GateFailed
from model_export.parts import Recipe, make_part
from model_export.samples import held_out
from tests.device import graphs
from tests.support.glm_checkpoint import InMemory

ROOT = Path(__file__).parents[2]
KEPT = Checkpoints.kept(
    ROOT / "model_export/weights", ROOT / "bundles/linnet_mini-en/ranks.tiktoken"
)
CFG = GlmConfig(vocab=64, dim=32, layers=2, heads=2, kv_heads=1, head_dim=16, ffn=48, max_len=32)


@given(st.integers(4, 200))
def test_nothing_is_both_seen_and_judged_by(count):
    calibration, judged = held_out(count)
    assert sorted([*calibration, *judged]) == list(range(count))
    assert len(judged) == count // 2
    assert len(judged) >= 2


def test_half_of_the_six_demo_recordings_judge():
    assert held_out(6) == ((0, 2, 4), (1, 3, 5))


def test_three_utterances_are_too_few_to_hold_any_back():
    assert held_out(3) == ((0, 1, 2), (0, 1, 2))
    few = Heard([np.zeros(160, np.float32)] * 3)
    assert few.split() == (few, few)


def test_utterances_stay_with_their_codes():
    pcm = [np.full(8, n, np.float32) for n in range(5)]
    calibration, judged = Heard(pcm, [[n] for n in range(5)]).split()
    assert calibration.codes == [[0], [2], [4]]
    assert [part[0] for part in calibration.pcm] == [0, 2, 4]
    assert judged.codes == [[1], [3]]
    assert [part[0] for part in judged.pcm] == [1, 3]


def test_prompts_that_are_known_already_are_split_on_their_own():
    """A release calibrates on clips, and on prompts of other sentences."""
    pcm = [np.full(8, n, np.float32) for n in range(4)]
    calibration, judged = Speech(pcm, [[n] for n in range(6)]).split()
    assert [list(calibration.prompts), list(judged.prompts)] == [[[0], [2], [4]], [[1], [3], [5]]]
    assert [part[0] for part in judged.pcm] == [1, 3]
    few = Speech(pcm[:3])
    assert few.split() == (few, few)


def decoder_gate(folder: Path, codes: list[list[int]]) -> float:
    """Of the built-in speech decoder, whose weights alone are rounded, by what it is fed."""
    folder.mkdir()
    speech = Speech([np.zeros(16_000, np.float32)] * len(codes), codes=codes)
    job = _Job(KEPT, speech, "int8", None, {})
    return job.make("speech_decoder", folder).figures["gate.speech_decoder.l1"]


def test_the_built_in_model_is_judged_by_every_second_utterance(tmp_path):
    codes = [[7, 800, 249], [330, 237], [854, 350, 608], [41, 12, 99, 500]]
    alone = decoder_gate(tmp_path / "alone", codes[1::2])
    assert decoder_gate(tmp_path / "all", codes) == alone > 0


def test_a_part_is_judged_by_other_inputs_than_it_was_calibrated_on(tmp_path):
    quiet = [{"x": np.full((4, graphs.WIDTH), level, np.float32)} for level in (0.1, 0.2)]
    loud = [{"x": np.full((4, graphs.WIDTH), 2.0, np.float32)}]
    recipe = Recipe({}, Gate("y", "l1", 0.1))

    def export(path):
        graphs.save(linear(), path)

    def made(judged):
        return make_part("lm", tmp_path, export, "w8a8", recipe, quiet, judged=judged)

    assert made(None).figures["gate.lm.l1"] < 0.1
    with pytest.raises(GateFailed, match="l1 of y"):  # ten times what the range was set for
        made(loud)


def linear():
    nodes = [graphs.helper.make_node("MatMul", ["x", "w"], ["y"], "linear")]
    weight = graphs.constant("w", graphs.weights(graphs.WIDTH, graphs.WIDTH))
    return graphs.model(
        nodes, [graphs.value("x", ["T", graphs.WIDTH])], [graphs.value("y", ["T", graphs.WIDTH])],
        [weight],
    )  # fmt: skip


def test_the_language_model_never_watches_what_it_is_judged_by():
    torch.manual_seed(0)
    model = Glm(CFG).eval()
    model.word_embeddings.weight.data[63] = 1000.0  # one that only a judge has
    weights = InMemory(model)
    prompts = [[1, 2, 3], [4, 5], [6, 7, 8, 9], [63, 10]]
    told: list[str] = []
    watched = calibrate(CFG, weights, prompts[::2], told.append)
    four = calibrate(CFG, weights, prompts, told.append)
    assert four.channels.keys() == watched.channels.keys()
    for name, seen in watched.channels.items():
        np.testing.assert_array_equal(four.channels[name], seen)
    assert [len(states) for states in four.hidden] == [2, 2]
    assert [len(states) for states in watched.hidden] == [3, 4]
