"""A bundle of GLM-4-Voice's layout at any size, with random weights: for tests and for timing.

    python -m model_export.families.glm_4_voice.random_bundle --size bench --out DIR

It says nothing that makes sense, but every graph, name, shape and id is where the real one's is.
"""

from __future__ import annotations

import argparse
import base64
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from device.bundle import Bundle, Hardware, ManifestHead, Schedule, SelfTest
from model_export.families.glm import Glm, GlmConfig
from model_export.families.glm_4_voice import decoder_graphs as decoder
from model_export.families.glm_4_voice.estimator import EstimatorConfig
from model_export.families.glm_4_voice.flow import Flow, FlowConfig
from model_export.families.glm_4_voice.flow_encoder import FlowEncoderConfig
from model_export.families.glm_4_voice.hift import Hift, HiftConfig
from model_export.families.glm_4_voice.profiles import PROFILES, lm_profile
from model_export.families.glm_4_voice.self_test import self_test
from model_export.families.glm_4_voice.tokenizer import Tokenizer, TokenizerConfig
from model_export.families.glm_4_voice.tokenizer_graph import export_tokenizer
from model_export.families.glm_graph import export_glm
from model_export.pack import PartSource, pack
from model_export.workplace import Made
from services.language.glm_vocabulary import PLACES

RANKS = 256  # one for each byte
SAMPLE_RATE_OUT = 22_050
PARTS = (
    "tokenizer", "lm", "flow_encoder", "flow_regulator", "flow_estimator", "hift_pitch",
    "hift_decode",
)  # fmt: skip
"""What a bundle of this family has."""


@dataclass(frozen=True)
class Size:
    """Every part's own sizes."""

    tokenizer: TokenizerConfig
    lm: GlmConfig
    flow: FlowConfig
    hift: HiftConfig

    @property
    def codes(self) -> int:
        return self.tokenizer.codes


def _vocab(codes: int) -> int:
    used = RANKS + PLACES + codes
    return used + -used % 64


SIZES = {
    "tiny": Size(
        TokenizerConfig(dim=32, heads=2, ffn=48, layers=2, codes=64),
        # Int4 groups 128 values.
        GlmConfig(_vocab(64), dim=128, layers=2, heads=2, head_dim=64, ffn=128, max_len=2048),
        FlowConfig(
            codes=64,
            encoder=FlowEncoderConfig(dim=32, heads=2, ffn=48, layers=2),
            estimator=EstimatorConfig(dim=16, heads=2, head_dim=16, transformers=1, middle=1),
        ),
        HiftConfig(dim=16, pitch_dim=24),
    ),
    # Widths of the published model divided by about five (the language model's by eight), depths
    # by two: seconds on a processor, and bound by arithmetic as the real one is.
    "bench": Size(
        TokenizerConfig(dim=256, heads=4, ffn=1024, layers=8, codes=1024),
        GlmConfig(_vocab(1024), dim=512, layers=8, heads=8, head_dim=64, ffn=1712, max_len=2048),
        FlowConfig(
            codes=1024,
            encoder=FlowEncoderConfig(dim=128, heads=4, ffn=512, layers=6),
            estimator=EstimatorConfig(dim=64, heads=4, head_dim=32, transformers=2, middle=6),
        ),
        HiftConfig(dim=128, pitch_dim=128),
    ),
}


@dataclass(frozen=True)
class Networks:
    """The four networks that the graphs are made of."""

    tokenizer: Tokenizer
    lm: Glm
    flow: Flow
    hift: Hift


def networks(size: Size, seed: int = 1) -> Networks:
    """Random weights, the same for the same seed, none of which is where it does nothing."""
    torch.manual_seed(seed)
    hift, tokenizer = Hift(size.hift).eval(), Tokenizer(size.tokenizer).eval()
    with torch.no_grad():  # some frames voiced, some not
        hift.f0_predictor.classifier.weight.mul_(600.0)
    # Near enough that sounds of different kinds have different codes.
    nn.init.normal_(tokenizer.codebook.weight, std=0.3)
    made = Networks(tokenizer, Glm(size.lm).eval(), Flow(size.flow).eval(), hift)
    for name, parameter in made.flow.named_parameters():
        if "pos_bias" in name:
            nn.init.normal_(parameter, std=0.3)
    for name, parameter in made.lm.named_parameters():
        if "layernorm" in name:
            nn.init.normal_(parameter, mean=1.0, std=0.2)
    return made


def build(out: Path, size: Size, seed: int = 1, *, replace: bool = False) -> Bundle:
    """Export every part and pack it; the same seed gives the same weights."""
    made = networks(size, seed)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        export_tokenizer(made.tokenizer, work / "tokenizer.onnx")
        export_glm(made.lm, work / "lm.onnx")
        decoder.export_flow_encoder(made.flow, work / "flow_encoder.onnx")
        decoder.export_flow_regulator(made.flow, work / "flow_regulator.onnx")
        decoder.export_flow_estimator(made.flow, work / "flow_estimator.onnx")
        decoder.export_hift_pitch(made.hift, work / "hift_pitch.onnx")
        decoder.export_hift_decode(made.hift, work / "hift_decode.onnx")
        ranks = work / "ranks.tiktoken"
        pieces = (base64.b64encode(bytes([n])).decode() for n in range(RANKS))
        ranks.write_text("".join(f"{piece} {n}\n" for n, piece in enumerate(pieces)))
        profiles = {**PROFILES, "lm": lm_profile(size.lm.max_len)}
        parts = {n: PartSource(work / f"{n}.onnx", "fp32", profiles[n]) for n in PARTS}
        noise = 0.1 * np.random.default_rng(seed).standard_normal(5 * 16_000)
        heard = Made(work / "tokenizer.onnx", "fp32", PROFILES["tokenizer"])
        wav, tested = self_test(heard, noise.astype(np.float32), work)
        files = {"vocabulary": ranks, "self_test": wav}
        return pack(out, _head(size, tested), parts, files, replace=replace)


def _head(size: Size, tested: SelfTest) -> ManifestHead:
    return ManifestHead(
        family="glm_4_voice",
        version="0.0.1",
        languages=("en", "zh"),
        sample_rate_in=16_000,
        sample_rate_out=SAMPLE_RATE_OUT,
        schedule=Schedule(text=13, audio=26),
        licence="Apache-2.0",
        notice="Random weights in the layout of GLM-4-Voice; nothing of the published weights.",
        minimum_runtime="0.1.0",
        hardware=Hardware(memory_mb=512),
        self_test=tested,
        config={"codes": size.codes, "lm_max_len": size.lm.max_len},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", choices=tuple(SIZES), default="bench")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    bundle = build(args.out, SIZES[args.size], replace=True)
    print(bundle.root)


if __name__ == "__main__":
    main()
