"""The published GLM-4-Voice as a bundle: seven graphs, each kept when it is finished.

What runs in which precision follows what it is bound by. The language model is bound by the bytes
it reads: int4 or int8. Tokenizer and estimator are bound by arithmetic: int8 products. Vocoder and
flow encoder gain nothing from int8: fp16 products. Pitch and length regulator are small and
brittle: fp32.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from device.bundle import Bundle, Hardware, ManifestHead, Schedule, SelfTest
from device.engine.graph_facts import bytes_read
from device.engine.onnx_cpu import OnnxCpuEngine
from device.manifest import STEP_BYTES
from model_export import gates, lint
from model_export.calibrate import Runs
from model_export.checkpoints.ranks import SPECIALS
from model_export.families.glm_4_voice import decoder_graphs
from model_export.families.glm_4_voice import speech as feeds_of
from model_export.families.glm_4_voice.files import Published
from model_export.families.glm_4_voice.licence import LICENCE, NOTICE, copied
from model_export.families.glm_4_voice.profiles import PROFILES, lm_profile
from model_export.families.glm_4_voice.self_test import self_test
from model_export.families.glm_4_voice.speech import Floats, Heard
from model_export.families.glm_4_voice.tokenizer_graph import export_tokenizer
from model_export.families.glm_stream import HeadKind, Plan, Wanted, export_streamed
from model_export.gates import Gate
from model_export.memory import empty, give_back, keep_large_blocks_apart
from model_export.pack import pack
from model_export.parts import Form, Recipe, make_part, unpacked
from model_export.workplace import Made, Workplace

LM_GATE: Mapping[Wanted, Gate] = {
    "fp16": Gate("logits", "top1", 0.98),
    "int8": Gate("logits", "top1", 0.90),
    "int4": Gate("logits", "top1", 0.80),
}
RECIPES: Mapping[str, Recipe] = {
    "tokenizer": Recipe(
        profile=PROFILES["tokenizer"],
        gate=Gate("codes", "agreement", 0.90),
        float_weights=("*codebook*",),
        exact=("*codebook*", "*conv1*", "*conv2*"),
    ),
    "flow_encoder": Recipe(
        profile=PROFILES["flow_encoder"],
        gate=Gate("h", "l1", 0.02),
        tables=("*input_embedding*",),
    ),
    "flow_regulator": Recipe(profile=PROFILES["flow_regulator"]),
    "flow_estimator": Recipe(
        profile=PROFILES["flow_estimator"],
        gate=Gate("v", "l1", 0.10),
        float_weights=("*time_mlp*", "*.mlp.*"),
        exact=("*time_mlp*", "*.mlp.*"),
    ),
    "hift_pitch": Recipe(profile=PROFILES["hift_pitch"]),
    "hift_decode": Recipe(
        profile=PROFILES["hift_decode"],
        gate=Gate("wave", "snr_db", 30.0),
        exact=("*filters*", "*l_linear*"),
        constant_only=True,
    ),
}
FORMS: Mapping[Wanted, Mapping[str, Form]] = {
    wanted: {
        "tokenizer": "fp16" if wanted == "fp16" else "w8a8+fp16",
        "flow_encoder": "fp16",
        "flow_regulator": "fp32",
        "flow_estimator": "fp16" if wanted == "fp16" else "w8a8+fp16",
        "hift_pitch": "fp32",
        "hift_decode": "fp16",
    }
    for wanted in ("fp16", "int8", "int4")
}
PARTS = ("tokenizer", "lm", *list(RECIPES)[1:])


@dataclass(frozen=True)
class Wishes:
    """What the caller may choose."""

    precision: Wanted
    head: HeadKind = "fp16"
    smooth: float | None = None
    bars: Mapping[str, float] = field(default_factory=dict)
    """Other bars than the gates' own, by part."""
    version: str = "1.0.0"


def export(
    published: Published,
    speech: Sequence[Floats],
    wishes: Wishes,
    out: Path,
    said: Callable[[str], None],
) -> Bundle:
    """Write the bundle.

    Args:
        published: the checked checkpoints.
        speech: utterances at 16 kHz to calibrate on; the bundle will test itself with the first.
        wishes: see there.
        out: where the bundle goes; finished parts wait in a hidden directory beside it.
        said: told what is being done.

    Raises:
        ExportError: a gate, the lint or a checkpoint; finished parts stay for the next try.
    """
    keep_large_blocks_apart()
    job = _Job(published, Heard(speech), wishes, said)
    place = Workplace(out)
    made: dict[str, Made] = {}
    for number, name in enumerate(PARTS, 1):
        said(f"[{number}/{len(PARTS)}] {name}")
        made[name], kept = place.part(name, job.made_of(name), job.maker(name))
        if kept:
            said(f"[{number}/{len(PARTS)}] {name}: finished before, kept")
        give_back()
    wav, tested = self_test(made["tokenizer"], speech[0], place.root)
    files = {"vocabulary": published.vocabulary, "self_test": wav}
    files |= copied(published.licences, place.root)
    parts = {name: item.source() for name, item in made.items()}
    head = _head(published, made, wishes, tested)
    bundle = pack(out, head, parts, files, link=True)
    place.clear()
    return bundle


@dataclass
class _Job:
    published: Published
    heard: Heard
    wishes: Wishes
    said: Callable[[str], None]

    def made_of(self, name: str) -> str:
        """Changes when the part would: the files, the wishes and the speech."""
        wishes = self.wishes
        facts = [name, wishes.precision, wishes.head, repr(wishes.smooth)]
        facts += [repr(wishes.bars.get(name)), repr(self.published.tokenizer_config)]
        facts += [repr(self.published.lm_config), repr(self.published.decoder)]
        for path in self.published.files:
            status = path.stat()
            facts.append(f"{path.name} {status.st_size} {status.st_mtime_ns}")
        digest = hashlib.sha256("\n".join(facts).encode())
        for pcm in self.heard.pcm:
            digest.update(pcm.tobytes())
        return digest.hexdigest()

    def maker(self, name: str) -> Callable[[Path], Made]:
        """What makes the part in a directory."""
        makers = {
            "tokenizer": self._tokenizer, "lm": self._lm,
            "flow_encoder": self._flow_encoder, "flow_regulator": self._flow_regulator,
            "flow_estimator": self._flow_estimator,
            "hift_pitch": self._hift_pitch, "hift_decode": self._hift_decode,
        }  # fmt: skip
        return makers[name]

    def _listened(self) -> Heard:
        if not self.heard.codes:
            self.heard.listen(self.published.tokenizer())
        return self.heard

    def _part(
        self,
        name: str,
        folder: Path,
        export: Callable[[Path], None],
        runs: tuple[Runs, Runs],
    ) -> Made:
        calibration, judged = runs
        return make_part(
            name, folder, export, FORMS[self.wishes.precision][name], RECIPES[name], calibration,
            judged=judged, bar=self.wishes.bars.get(name),
        )  # fmt: skip

    def _tokenizer(self, folder: Path) -> Made:
        model = self.published.tokenizer()
        path = folder / "float.onnx"
        export_tokenizer(model, path)
        block = model.cfg.block_mels
        empty(model)
        part = unpacked("tokenizer", path, "fp32", RECIPES["tokenizer"].profile)
        # Nothing else may hold the engine: where its runs are kept, it goes before the rounding.
        runs = _runs(self.heard, partial(feeds_of.tokenizer_feeds, OnnxCpuEngine(part), block))
        return self._part("tokenizer", folder, lambda to: _rename(path, to), runs)

    def _lm(self, folder: Path) -> Made:
        plan = Plan(self.wishes.precision, self.wishes.head, self.wishes.smooth)
        cfg = self.published.lm_config
        done = export_streamed(
            cfg, self.published.lm_weights, self._listened().prompts(), plan, folder, said=self.said
        )
        gate = LM_GATE[self.wishes.precision]
        figures = gates.judged("lm", gate, done.figures["top1"], self.wishes.bars.get("lm"))
        figures["gate.lm.snr_db"] = round(done.figures["snr_db"], 2)
        lint.check(done.graph)
        profile = lm_profile(cfg.max_len)
        return Made(done.graph, done.precision, profile, (done.weights,), figures)

    def _flow_encoder(self, folder: Path) -> Made:
        flow = self.published.flow()
        export = partial(decoder_graphs.export_flow_encoder, flow)
        feeds = partial(feeds_of.encoder_feeds, flow)
        return self._part("flow_encoder", folder, export, _runs(self._listened(), feeds))

    def _flow_regulator(self, folder: Path) -> Made:
        export = partial(decoder_graphs.export_flow_regulator, self.published.flow())
        return self._part("flow_regulator", folder, export, _runs(self.heard, _none))

    def _flow_estimator(self, folder: Path) -> Made:
        flow = self.published.flow()
        export = partial(decoder_graphs.export_flow_estimator, flow)
        feeds = partial(feeds_of.estimator_feeds, flow)
        return self._part("flow_estimator", folder, export, _runs(self._listened(), feeds))

    def _hift_pitch(self, folder: Path) -> Made:
        export = partial(decoder_graphs.export_hift_pitch, self.published.hift())
        return self._part("hift_pitch", folder, export, _runs(self.heard, _none))

    def _hift_decode(self, folder: Path) -> Made:
        export = partial(decoder_graphs.export_hift_decode, self.published.hift())
        feeds = partial(feeds_of.vocoder_feeds, self.published.flow())
        return self._part("hift_decode", folder, export, _runs(self._listened(), feeds))


def _runs(heard: Heard, feeds: Callable[[Heard], Runs]) -> tuple[Runs, Runs]:
    """What a part is calibrated with, and what it is judged by."""
    calibration, judged = heard.split()
    seen = feeds(calibration)
    return seen, seen if judged is calibration else feeds(judged)


def _rename(path: Path, to: Path) -> None:
    path.rename(to)


def _none(heard: Heard) -> list[feeds_of.Feed]:
    """For a part that is stored as it is."""
    return []


def _head(
    published: Published, made: Mapping[str, Made], wishes: Wishes, tested: SelfTest
) -> ManifestHead:
    cfg = published.lm_config
    stored = sum(
        path.stat().st_size for item in made.values() for path in (item.model, *item.external)
    )
    cache = cfg.max_len * cfg.layers * 2 * cfg.kv_heads * cfg.head_dim * 2
    return ManifestHead(
        family="glm_4_voice",
        version=wishes.version,
        languages=("zh", "en"),
        sample_rate_in=16_000,
        sample_rate_out=22_050,
        schedule=Schedule(text=13, audio=26),
        licence=LICENCE,
        notice=NOTICE,
        minimum_runtime="0.1.0",
        # Weights, caches, and a share for activations and the runtime itself.
        hardware=Hardware(memory_mb=int((stored * 1.2 + cache) / 2**20) + 1024),
        self_test=tested,
        evaluation={k: v for item in made.values() for k, v in item.figures.items()},
        config={
            "codes": published.tokenizer_config.codes,
            "audio_offset": SPECIALS["<|audio_0|>"],
            "lm_max_len": cfg.max_len,
            STEP_BYTES: bytes_read(made["lm"].model),
            "lm_head": wishes.head if wishes.precision == "int4" else wishes.precision,
        },
    )
