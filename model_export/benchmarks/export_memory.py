"""How much memory an export needs: peak resident set over the largest shard.

``python -m model_export.benchmarks.export_memory --gigabytes 2`` writes a random language model of
GLM-4-Voice's layout in four shards, exports it in a process of its own and prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BAR = 2.5
SHARDS = 4
LAYER = {"dim": 2048, "heads": 16, "kv": 2, "head": 128, "ffn": 6912, "vocab": 24_064}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--precision", choices=("fp16", "int8", "int4"), default="int4")
    parser.add_argument("--child", nargs=2, type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        lm, out = args.child
        child(lm, out, args.precision)
        return 0
    facts = measure(args.gigabytes, args.precision)
    print(json.dumps(facts, indent=1))
    return 0 if facts["peak_over_largest_shard"] <= BAR else 1


def measure(
    gigabytes: float, precision: str, config: dict[str, int] | None = None
) -> dict[str, Any]:
    """Write, export and weigh; ``config`` overrides sizes of the model."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        shards = write_checkpoint(work / "lm", gigabytes, config or {})
        (work / "out").mkdir()
        peak, seconds = _export(work, precision)
        sizes = [path.stat().st_size for path in shards]
        largest = max(sizes)
        written = sum(path.stat().st_size for path in (work / "out").iterdir())
    return {
        "precision": precision,
        "checkpoint_bytes": sum(sizes),
        "largest_shard_bytes": largest,
        "written_bytes": written,
        "peak_rss_bytes": peak,
        "peak_over_largest_shard": round(peak / largest, 2),
        "bar": BAR,
        "seconds": round(seconds, 1),
    }


def _export(work: Path, precision: str) -> tuple[int, float]:
    """Peak resident bytes of the child, as the kernel counted them, and seconds."""
    command = [sys.executable, "-m", __spec__.name, "--precision", precision]
    command += ["--child", str(work / "lm"), str(work / "out")]
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the export ended with {process.returncode}")
    return usage.ru_maxrss * 1024, time.monotonic() - start


def write_checkpoint(folder: Path, gigabytes: float, config: dict[str, int]) -> list[Path]:
    """A random checkpoint of about this size; ``config`` as ``LAYER``."""
    from model_export.checkpoints.synthetic import write_random_shards
    from model_export.families.glm_4_voice.lm import PublishedConfig
    from model_export.families.glm_4_voice.lm_checkpoint import published_layout

    size = LAYER | config
    layer = size["dim"] * ((size["heads"] + 2 * size["kv"] + size["heads"]) * size["head"])
    layer += 3 * size["dim"] * size["ffn"]
    layers = max(1, round((gigabytes * 1e9 / 2 - 2 * size["vocab"] * size["dim"]) / layer))
    published = PublishedConfig(
        padded_vocab_size=size["vocab"], hidden_size=size["dim"], num_layers=layers,
        num_attention_heads=size["heads"], multi_query_group_num=size["kv"],
        kv_channels=size["head"], ffn_hidden_size=size["ffn"], seq_length=2048,
        layernorm_epsilon=3.90625e-08,
    )  # fmt: skip
    shards = write_random_shards(folder, published_layout(published.glm()), SHARDS)
    (folder / "config.json").write_text(published.model_dump_json())
    return shards


def child(lm: Path, out: Path, precision: str) -> None:
    """What is weighed: check, trace, calibrate, write and judge, as ``linnet export`` does."""
    import numpy as np

    from model_export import lint
    from model_export.families.glm_4_voice.lm_checkpoint import open_lm
    from model_export.families.glm_stream import Plan, export_streamed

    cfg, weights = open_lm(lm)
    ids = np.random.default_rng(0).integers(0, cfg.vocab, (2, 24)).tolist()
    done = export_streamed(
        cfg, weights, ids, Plan(precision), out,  # type: ignore[arg-type]
        said=lambda line: print(line, file=sys.stderr, flush=True),
    )  # fmt: skip
    lint.check(done.graph)
    print(dict(done.figures), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
