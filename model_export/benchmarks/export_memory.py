"""How much memory an export needs: peak resident set over the largest shard.

``python -m model_export.benchmarks.export_memory --gigabytes 2`` writes a random language model of
GLM-4-Voice's layout in four shards, exports it in a process of its own and prints one JSON object.
With ``--whole`` all three folders are written, the other parts a tenth of the published ones as the
language model is, and the whole of ``linnet export`` is weighed, with the published vocabulary.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the process that weighs another needs no torch
    from model_export.families.glm_4_voice.files import DecoderSizes, WhisperConfig
    from model_export.families.glm_4_voice.lm import PublishedConfig

BAR = 2.5
SHARDS = 4
NO_BARS = {
    "tokenizer": 0.0, "lm": 0.0, "flow_encoder": 1e9, "flow_estimator": 1e9, "hift_decode": -1e9,
}  # fmt: skip
LAYER = {"dim": 2048, "heads": 16, "kv": 2, "head": 128, "ffn": 6912, "vocab": 24_064}
WHOLE = {"dim": 1024, "heads": 8, "ffn": 3456, "vocab": 168_960}
"""Narrower, as the published vocabulary is wide."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--precision", choices=("fp16", "int8", "int4"), default="int4")
    parser.add_argument("--whole", action="store_true", help="all parts, not the language model")
    parser.add_argument("--child", nargs=2, type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        source, out = args.child
        (whole_child if args.whole else child)(source, out, args.precision)
        _tell_peak()
        return 0
    facts = measure(args.gigabytes, args.precision, whole=args.whole)
    print(json.dumps(facts, indent=1))
    return 0 if facts["peak_over_largest_shard"] <= BAR else 1


def measure(
    gigabytes: float, precision: str, config: dict[str, int] | None = None, *, whole: bool = False
) -> dict[str, Any]:
    """Write, export and weigh; ``config`` overrides sizes of the language model."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        sizes = LAYER | (WHOLE if whole else {}) | (config or {})
        shards = (write_all if whole else write_checkpoint)(work, gigabytes, sizes)
        (work / "out").mkdir()
        imported, peak, seconds = _export(work, precision, whole)
        stored = [path.stat().st_size for path in shards]
        largest = max(stored)
        written = sum(path.stat().st_size for path in (work / "out").rglob("*") if path.is_file())
    return {
        "precision": precision,
        "whole": whole,
        "checkpoint_bytes": sum(stored),
        "largest_shard_bytes": largest,
        "written_bytes": written,
        "imported_rss_bytes": imported,
        "peak_rss_bytes": peak,
        "peak_over_largest_shard": round(peak / largest, 2),
        "bar": BAR,
        "seconds": round(seconds, 1),
    }


def _export(work: Path, precision: str, whole: bool) -> tuple[int, int, float]:
    """Peak resident bytes of the child and seconds.

    The first is the peak until all libraries were there: what an export of nothing would need.
    """
    command = [sys.executable, "-m", __spec__.name, "--precision", precision]
    command += ["--whole"] * whole
    command += ["--child", str(work), str(work / "out")]
    start = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the export ended with {done.returncode}")
    imported, *_, peak = done.stdout.splitlines()
    return int(imported), int(peak), time.monotonic() - start


def _tell_peak() -> None:
    """Of this program alone: ``ru_maxrss`` begins with what the one that started it held."""
    _, _, rest = Path("/proc/self/status").read_text().partition("VmHWM:")
    print(int(rest.split()[0]) * 1024, flush=True)


def published_config(gigabytes: float, size: dict[str, int]) -> PublishedConfig:
    """A language model of about so many bytes; ``size`` as ``LAYER``."""
    from model_export.families.glm_4_voice.lm import PublishedConfig

    layer = size["dim"] * ((size["heads"] + 2 * size["kv"] + size["heads"]) * size["head"])
    layer += 3 * size["dim"] * size["ffn"]
    layers = max(1, round((gigabytes * 1e9 / 2 - 2 * size["vocab"] * size["dim"]) / layer))
    return PublishedConfig(
        padded_vocab_size=size["vocab"], hidden_size=size["dim"], num_layers=layers,
        num_attention_heads=size["heads"], multi_query_group_num=size["kv"],
        kv_channels=size["head"], ffn_hidden_size=size["ffn"], seq_length=2048,
        layernorm_epsilon=3.90625e-08,
    )  # fmt: skip


def write_checkpoint(work: Path, gigabytes: float, size: dict[str, int]) -> list[Path]:
    """A random language model of about this size."""
    from model_export.checkpoints.synthetic import write_random_shards
    from model_export.families.glm_4_voice.lm_checkpoint import published_layout

    published = published_config(gigabytes, size)
    shards = write_random_shards(work / "lm", published_layout(published.glm()), SHARDS)
    (work / "lm" / "config.json").write_text(published.model_dump_json())
    return shards


def write_all(work: Path, gigabytes: float, size: dict[str, int]) -> list[Path]:
    """The same with a tokenizer and a decoder beside it."""
    from model_export.families.glm_4_voice.synthetic import write_folders

    hearing, decoder = _others()
    lm = published_config(gigabytes, size)
    folders = write_folders(work, hearing, lm, decoder, SHARDS)
    return [*work.rglob("*.safetensors"), *folders.decoder.iterdir()]


def _others() -> tuple[WhisperConfig, DecoderSizes]:
    from model_export.families.glm_4_voice.files import DecoderSizes, WhisperConfig
    from model_export.families.glm_4_voice.random_bundle import SIZES

    hearing = WhisperConfig(
        d_model=512, encoder_attention_heads=8, encoder_ffn_dim=2048, quantize_position=10,
        quantize_vocab_size=1024, quantize_causal_block_size=200, num_mel_bins=128,
        max_source_positions=1500, pooling_kernel_size=4,
    )  # fmt: skip
    return hearing, DecoderSizes(SIZES["bench"].flow, SIZES["bench"].hift)


def child(work: Path, out: Path, precision: str) -> None:
    """What is weighed: check, trace, calibrate, write and judge, as ``linnet export`` does."""
    import numpy as np

    from model_export import lint
    from model_export.families.glm_4_voice.lm_checkpoint import open_lm
    from model_export.families.glm_stream import Plan, export_streamed
    from model_export.memory import keep_large_blocks_apart

    _tell_peak()
    keep_large_blocks_apart()
    cfg, weights = open_lm(work / "lm")
    ids = np.random.default_rng(0).integers(0, cfg.vocab, (2, 24)).tolist()
    done = export_streamed(
        cfg, weights, ids, Plan(precision), out,  # type: ignore[arg-type]
        said=_told,
    )  # fmt: skip
    lint.check(done.graph)
    print(dict(done.figures), file=sys.stderr)


def whole_child(work: Path, out: Path, precision: str) -> None:
    """The same for all parts; random weights are held to no quality."""
    import numpy as np

    from model_export.families.glm_4_voice.export import Wishes, export
    from model_export.families.glm_4_voice.files import open_published

    _tell_peak()
    _, sizes = _others()
    published = open_published(work / "tokenizer", work / "lm", work / "decoder", sizes)
    noise = 0.1 * np.random.default_rng(0).standard_normal((2, 80_000)).astype(np.float32)
    wishes = Wishes(precision, bars=NO_BARS)  # type: ignore[arg-type]
    export(published, list(noise), wishes, out / "bundle", _told)


def _told(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
