"""Deltas lead to the very file or to nothing, in little memory, and save what they should."""

from __future__ import annotations

import hashlib
import io
import json
import random
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from ota.delta import HEADER, MAGIC, RECORD, File, Header, Record, apply, blocks, read_header
from ota.delta_blocks import BLOCK, DeltaError, Method, decoded, encoded
from ota.delta_layout import Pair, pairs, tensors
from ota.delta_make import make_delta, plan_cuts
from ota.errors import TrustError
from ota.store import Store
from services.cli import main
from services.exit_codes import ExitCode
from tests.support.fine_tune import fine_tune

LM = Path(__file__).parents[2] / "bundles/linnet_mini-en/lm.onnx"
DECODER = LM.with_name("speech_decoder.onnx")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@given(st.binary(max_size=300), st.binary(max_size=300), st.sampled_from(list(Method)))
def test_any_block_comes_back_from_any_other(old: bytes, new: bytes, method: Method) -> None:
    source = old[: len(new)].ljust(len(new), b"\0")
    how, payload = encoded(source, new)
    assert decoded(how, payload, source) == new
    assert len(payload) <= len(new)


@pytest.mark.parametrize(
    ("dtype", "method"),
    [("<i1", Method.NIBBLES), ("<f2", Method.HALVES), ("<f4", Method.WORDS)],
)
def test_weights_that_moved_a_little_are_told_as_numbers_of_their_kind(
    dtype: str, method: Method
) -> None:
    rng = np.random.default_rng(3)
    spread = 30.0 if dtype == "<i1" else 0.05  # both signs, down to zero
    old = rng.standard_normal(9_999).astype(np.float32) * spread
    new = old + rng.standard_normal(9_999).astype(np.float32) * spread * 0.01
    source, target = (np.rint(v) if dtype == "<i1" else v for v in (old, new))
    a, b = source.astype(dtype).tobytes(), target.astype(dtype).tobytes()
    how, payload = encoded(a, b)
    assert how is method
    assert decoded(how, payload, a) == b
    assert len(payload) < 0.75 * len(b)


def test_large_and_small_differences_of_bytes_come_back() -> None:
    rng = np.random.default_rng(4)
    old = rng.integers(0, 256, 10_001, np.uint8)
    small, large = rng.integers(-2, 3, 10_001), rng.integers(0, 256, 10_001)
    new = (old + np.where(rng.random(10_001) < 0.005, large, small)).astype(np.uint8)
    how, payload = encoded(old.tobytes(), new.tobytes())
    assert how is Method.NIBBLES
    assert decoded(how, payload, old.tobytes()) == new.tobytes()


FILES = st.binary(max_size=2000)


@given(FILES, FILES)
def test_a_delta_leads_from_any_file_to_any_other(
    tmp_path_factory: pytest.TempPathFactory, old: bytes, new: bytes
) -> None:
    folder = tmp_path_factory.mktemp("delta")
    source, target = write(folder / "old", old), write(folder / "new", new)
    made = make_delta(source, target, folder / "delta")
    store = Store(folder / "store")
    assert apply(folder / "delta", source, made.header.target, store).read_bytes() == new


@settings(max_examples=200)
@given(st.data())
def test_a_damaged_delta_gives_the_very_file_or_an_error(data: st.DataObject) -> None:
    old = bytes(range(256)) * 8
    new = bytes((b + (i % 3)) % 256 for i, b in enumerate(old))
    delta = bytearray(delta_of(old, new))
    for _ in range(data.draw(st.integers(1, 3))):
        kind = data.draw(st.sampled_from(["flip", "cut", "add"]))
        at = data.draw(st.integers(0, len(delta) - 1))
        if kind == "flip":
            delta[at] ^= data.draw(st.integers(1, 255))
        elif kind == "cut":
            del delta[max(1, at) :]
        else:
            delta[at:at] = data.draw(st.binary(min_size=1, max_size=9))
    stream = io.BytesIO(bytes(delta))
    try:
        header = read_header(stream)
        found = b"".join(blocks(stream, io.BytesIO(old), header))
    except DeltaError:
        return
    assert header.target.sha256 != sha(new) or len(found) == header.target.bytes
    assert found == new


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def delta_of(old: bytes, new: bytes) -> bytes:
    how, payload = encoded(old, new)
    record = Record(how, 0, len(new), len(payload), hashlib.sha256(new).digest())
    header = Header(File(len(old), sha(old)), File(len(new), sha(new)))
    return header.packed() + record.packed() + payload


def test_another_source_is_noticed_at_its_first_block(tmp_path: Path, store: Store) -> None:
    old = random.Random(2).randbytes(3000)
    source, target = write(tmp_path / "old", old), write(tmp_path / "new", old + b"more")
    made = make_delta(source, target, tmp_path / "delta")
    source.write_bytes(old[::-1])
    with pytest.raises(DeltaError, match="the block at 0 comes out wrong"):
        apply(tmp_path / "delta", source, made.header.target, store)
    assert not list(store.root.glob("*"))


def test_a_delta_to_another_file_than_is_signed_is_refused(tmp_path: Path, store: Store) -> None:
    source = write(tmp_path / "old", b"abc" * 1000)
    made = make_delta(source, source, tmp_path / "delta")
    signed = File(made.header.target.bytes, sha(b"another"))
    with pytest.raises(DeltaError, match="leads to another file"):
        apply(tmp_path / "delta", source, signed, store)


def test_a_header_that_lies_about_its_target_is_found_out_at_the_end(
    tmp_path: Path, store: Store
) -> None:
    delta = bytearray(delta_of(b"abc" * 100, b"abd" * 100))
    signed = File(300, sha(b"xyz" * 100))
    delta[HEADER.size - 32 : HEADER.size] = bytes.fromhex(signed.sha256)
    source = write(tmp_path / "old", b"abc" * 100)
    with pytest.raises(TrustError, match="not what is signed"):
        apply(write(tmp_path / "delta", bytes(delta)), source, signed, store)
    assert not list(store.root.glob("*"))


def refused(record: bytes, payload: bytes = b"", size: int = BLOCK) -> str:
    header = HEADER.pack(MAGIC, 0, bytes(32), size, bytes(32))
    stream = io.BytesIO(header + record + payload)
    with pytest.raises(DeltaError) as caught:
        list(blocks(stream, io.BytesIO(b""), read_header(stream)))
    return str(caught.value)


def test_blocks_that_ask_for_too_much_are_refused_before_they_are_read() -> None:
    none = bytes(32)
    assert "too large" in refused(RECORD.pack(1, 0, BLOCK + 1, 0, none), size=2 * BLOCK)
    assert "too large" in refused(RECORD.pack(1, 0, 1, 2**32 - 1, none))
    assert "too large" in refused(RECORD.pack(1, 0, 0, 0, none))
    assert "unknown kind" in refused(RECORD.pack(99, 0, 1, 0, none))
    assert "outside" in refused(RECORD.pack(0, 2**40, 1, 0, none))
    assert "outside" in refused(RECORD.pack(0, 0, 2, 0, none), size=1)
    assert "ends too early" in refused(RECORD.pack(1, 0, 10, 10, none), b"123")


@pytest.mark.parametrize("method", [Method.FRESH, Method.BYTES, Method.WORDS, Method.NIBBLES])
@pytest.mark.parametrize("says_its_size", [True, False])
def test_a_bomb_is_refused_in_little_memory(method: Method, says_its_size: bool) -> None:
    bomb = zstandard.ZstdCompressor(write_content_size=says_its_size).compress(bytes(2**28))
    assert len(bomb) < 10**5
    tracemalloc.start()
    try:
        with pytest.raises(DeltaError):
            decoded(method, bomb, bytes(BLOCK))
        assert tracemalloc.get_traced_memory()[1] < 16 * BLOCK
    finally:
        tracemalloc.stop()


def test_a_bomb_that_wants_a_large_window_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=27)
    writer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    frame = writer.compress(b"x" * 100) + writer.flush()
    with pytest.raises(DeltaError, match="too much"):
        decoded(Method.FRESH, frame, bytes(100))


def test_applying_takes_the_memory_of_a_few_blocks_however_long_the_file(
    tmp_path: Path, store: Store
) -> None:
    block = random.Random(1).randbytes(BLOCK)
    source, target = tmp_path / "old", tmp_path / "new"
    with source.open("wb") as a, target.open("wb") as b:
        for n in range(40):
            a.write(block)
            b.write(bytes([n]) * 50_000 + block[50_000:])
    made = make_delta(source, target, tmp_path / "delta")
    tracemalloc.start()
    try:
        apply(tmp_path / "delta", source, made.header.target, store)
        assert tracemalloc.get_traced_memory()[1] < 12 * BLOCK
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(not LM.exists(), reason="the built-in bundle is not here")
def test_a_fine_tune_of_most_weights_costs_a_quarter(tmp_path: Path, store: Store) -> None:
    new = tmp_path / "lm.onnx"
    changed = fine_tune(LM, new, 0.02)
    assert changed > 0.5
    made = make_delta(LM, new, tmp_path / "delta")
    weights = sum(t.length for t in tensors(new) if t.name.endswith(b"__int8_1"))
    assert made.methods["nibbles"] >= 0.99 * weights
    assert made.file.bytes <= 0.27 * weights  # all of the delta, against the int8 weights alone
    assert made.ratio <= 0.27
    assert apply(tmp_path / "delta", LM, made.header.target, store).read_bytes() == new.read_bytes()


@pytest.mark.skipif(not DECODER.exists(), reason="the built-in bundle is not here")
def test_tensors_that_moved_in_the_file_are_found_again(tmp_path: Path) -> None:
    import onnx

    model = onnx.load(DECODER)
    for tensor in model.graph.initializer:  # as another exporter would name them
        tensor.name = f"renamed.{tensor.name}{'x' * (len(tensor.name) % 7)}"
    onnx.save(model, tmp_path / "new.onnx")
    made = make_delta(DECODER, tmp_path / "new.onnx", tmp_path / "delta")
    assert made.ratio < 0.03


def test_what_is_no_onnx_has_no_tensors(tmp_path: Path) -> None:
    for data in (b"", b"RIFF", bytes(100), b"\xff" * 100, struct.pack("<BB", 0x3A, 200)):
        assert tensors(write(tmp_path / "file", data)) == []
    assert pairs(tmp_path / "file", tmp_path / "file") == []


@given(st.integers(0, 5 * BLOCK), st.lists(st.tuples(*[st.integers(0, 5 * BLOCK)] * 3)))
def test_cuts_cover_a_file_without_gap_or_overlap(
    size: int, tensors_at: list[tuple[int, int, int]]
) -> None:
    found = [Pair(old, new, min(n, size - new)) for old, new, n in tensors_at if new < size]
    at = 0
    for cut in plan_cuts(size, sorted(found, key=lambda pair: pair.new)):
        assert cut.start == at
        assert 0 < cut.length <= BLOCK
        assert all(source >= 0 for source in cut.sources)
        at += cut.length
    assert at == size


def test_the_command_says_what_two_bundles_cost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(6)
    same, old, new = (rng.randbytes(9000) for _ in range(3))
    for name, voice in (("old", old), ("new", old[:-9] + new[:9])):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "same.bin", same)
        write(tmp_path / name / "voice.bin", voice)
    write(tmp_path / "new/more.bin", new)
    both = [str(tmp_path / "old"), str(tmp_path / "new")]
    assert main(["fleet", "delta", *both, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    rows = {row["file"]: row["delta_bytes"] for row in found["files"]}
    assert rows["same.bin"] == 0
    assert 0 < rows["voice.bin"] < 500
    assert found["to_send"] == rows["voice.bin"] + 9000
    assert main(["fleet", "delta", *both]) == 0
    assert "to send" in capsys.readouterr().out
    assert main(["fleet", "delta", both[0], str(tmp_path / "none")]) == ExitCode.USAGE
