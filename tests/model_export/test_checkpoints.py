"""Checkpoints from strangers: read in pieces, refused with a reason, never executed."""

from __future__ import annotations

import base64
import json
import os
import struct
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model_export.checkpoints.errors import CheckpointError, WrongLayout
from model_export.checkpoints.layout import check_layout
from model_export.checkpoints.pickled import PickledCheckpoint
from model_export.checkpoints.ranks import SPECIALS, check_vocabulary, read_ranks
from model_export.checkpoints.safetensors import MAX_HEADER, SafetensorsCheckpoint
from tests.support.checkpoints import write_safetensors, write_sharded

TENSORS = {
    "a.weight": np.arange(12, dtype=np.float32).reshape(4, 3),
    "b.weight": np.array([0.5, -1.25], np.float32),
    "c.weight": np.ones((2, 2, 2), np.float32),
}


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16"])
def test_every_float_type_comes_back_as_float32(tmp_path, kind):
    write_safetensors(tmp_path / "model.safetensors", TENSORS, kind)
    found = SafetensorsCheckpoint(tmp_path)
    assert found.shapes == {name: values.shape for name, values in TENSORS.items()}
    for name, values in TENSORS.items():
        np.testing.assert_array_equal(found.read(name), values)
    np.testing.assert_array_equal(found.rows("a.weight", 1, 3), TENSORS["a.weight"][1:3])


def test_shards_are_found_through_their_index(tmp_path):
    write_sharded(tmp_path, TENSORS, shards=2)
    found = SafetensorsCheckpoint(tmp_path)
    assert len(found.files) == 2
    np.testing.assert_array_equal(found.read("c.weight"), TENSORS["c.weight"])


def test_a_missing_shard_is_named(tmp_path):
    files = write_sharded(tmp_path, TENSORS, shards=2)
    files[1].unlink()
    with pytest.raises(CheckpointError, match=f"lacks {files[1].name}; fetch"):
        SafetensorsCheckpoint(tmp_path)


def test_an_index_that_points_elsewhere_or_disagrees(tmp_path):
    files = write_sharded(tmp_path, TENSORS, shards=2)
    index = tmp_path / "model.safetensors.index.json"
    for place, complaint in (("../other.safetensors", "no file name"), (files[1].name, "disagree")):
        named = json.loads(index.read_text())
        named["weight_map"]["a.weight"] = place
        (tmp_path / "copy").mkdir(exist_ok=True)
        for file in files:
            (tmp_path / "copy" / file.name).write_bytes(file.read_bytes())
        (tmp_path / "copy" / index.name).write_text(json.dumps(named))
        with pytest.raises(CheckpointError, match=complaint):
            SafetensorsCheckpoint(tmp_path / "copy")


def test_a_file_that_was_cut_short(tmp_path):
    path = tmp_path / "model.safetensors"
    write_safetensors(path, TENSORS)
    whole = path.read_bytes()
    for kept in (0, 5, 20, len(whole) - 1):
        path.write_bytes(whole[:kept])
        with pytest.raises(CheckpointError, match=r"model\.safetensors"):
            SafetensorsCheckpoint(tmp_path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(CheckpointError, match="1 bytes that belong to no tensor"):
        SafetensorsCheckpoint(tmp_path)


def test_a_header_that_would_fill_the_memory(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", 1 << 60) + b"{}")
    with pytest.raises(CheckpointError, match="says that its header has 1152921504606846976 bytes"):
        SafetensorsCheckpoint(tmp_path)
    with path.open("wb") as stream:  # a hole: the file is as large as it says
        stream.write(struct.pack("<Q", MAX_HEADER + 1))
        stream.truncate(MAX_HEADER + 100)
    with pytest.raises(CheckpointError, match=f"at most {MAX_HEADER}"):
        SafetensorsCheckpoint(tmp_path)
    path.write_bytes(struct.pack("<Q", 200_000) + b"[" * 200_000)
    with pytest.raises(CheckpointError, match="no JSON object"):
        SafetensorsCheckpoint(tmp_path)


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ({"dtype": "F32", "shape": [4], "data_offsets": [0, 8]}, "would have 16 bytes and has 8"),
        ({"dtype": "F8", "shape": [8], "data_offsets": [0, 8]}, "which is no tensor"),
        ({"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}, "which is no tensor"),
        ({"dtype": "F32", "shape": [True, 2], "data_offsets": [0, 8]}, "which is no tensor"),
        ({"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}, "does not begin where"),
        ({"dtype": "F32", "shape": [2]}, "has no dtype, shape and data_offsets"),
        (7, "has no dtype, shape and data_offsets"),
    ],
)
def test_entries_that_lie(tmp_path, entry, complaint):
    text = json.dumps({"w": entry}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(16))
    with pytest.raises(CheckpointError, match=complaint):
        SafetensorsCheckpoint(tmp_path)


@settings(deadline=None)
@given(st.data())
def test_no_damage_makes_the_reader_fall_over(tmp_path_factory, data):
    """Any byte changed or cut: it is read, or it is refused with our own error."""
    folder = tmp_path_factory.mktemp("damaged")
    path = folder / "model.safetensors"
    write_safetensors(path, TENSORS)
    whole = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] = data.draw(st.integers(0, 255))
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        found = SafetensorsCheckpoint(folder)
        for name in found.shapes:
            found.read(name)
    except CheckpointError as error:
        named = "model.safetensors" in str(error)
    else:
        named = True
    assert named


def test_values_that_are_not_finite_are_refused(tmp_path):
    write_safetensors(tmp_path / "model.safetensors", {"w": np.array([1.0, np.nan], np.float32)})
    with pytest.raises(CheckpointError, match="w has values that are not finite"):
        SafetensorsCheckpoint(tmp_path).read("w")


def test_all_differences_are_listed_at_once(tmp_path):
    write_safetensors(tmp_path / "model.safetensors", TENSORS)
    found = SafetensorsCheckpoint(tmp_path)
    expected = {"a.weight": (4, 4), "b.weight": (2,), "d.weight": (1,), "e.weight": (5,)}
    with pytest.raises(WrongLayout, match="4 differences") as caught:
        check_layout(found, expected)
    assert caught.value.problems == (
        "missing: d.weight [1]",
        "missing: e.weight [5]",
        "shape: a.weight is [4, 3], not [4, 4]",
        "surplus: c.weight [2, 2, 2]",
    )
    check_layout(found, {"a.weight": (4, 3), "b.weight": (2,)}, ignored=["c.*"])


# Torch's own format.


def test_a_dictionary_of_tensors_is_read(tmp_path):
    tensors = {name: torch.from_numpy(values) for name, values in TENSORS.items()}
    torch.save(tensors, tmp_path / "flow.pt")
    found = PickledCheckpoint(tmp_path / "flow.pt")
    assert found.shapes["c.weight"] == (2, 2, 2)
    np.testing.assert_array_equal(found.read("a.weight"), TENSORS["a.weight"])
    torch.save({"weights": {"model": tensors}}, tmp_path / "nested.pt")
    assert PickledCheckpoint(tmp_path / "nested.pt", ("weights", "model")).shapes == found.shapes
    with pytest.raises(CheckpointError, match="holds no dictionary"):
        PickledCheckpoint(tmp_path / "nested.pt", ("weights", "other"))


class Trap:
    """Runs a program when it is unpickled without care."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_a_pickle_with_code_is_refused_and_does_not_run(tmp_path):
    torch.save({"w": Trap(tmp_path / "ran")}, tmp_path / "hift.pt")
    with pytest.raises(CheckpointError, match=r"hift\.pt: is refused, nothing in it was executed"):
        PickledCheckpoint(tmp_path / "hift.pt")
    assert not (tmp_path / "ran").exists()


def test_a_damaged_or_foreign_file_is_refused(tmp_path):
    path = tmp_path / "flow.pt"
    torch.save({"w": torch.zeros(1000)}, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="is cut short"):
        PickledCheckpoint(path)
    torch.save({"w": torch.zeros(3)}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(CheckpointError, match="not in torch's zip format"):
        PickledCheckpoint(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(CheckpointError, match="no checkpoint of torch"):
        PickledCheckpoint(path)
    with pytest.raises(CheckpointError, match="cannot be read"):
        PickledCheckpoint(tmp_path / "absent.pt")


@pytest.fixture(scope="module")
def published_pt(tmp_path_factory):
    path = tmp_path_factory.mktemp("published") / "flow.pt"
    torch.save({name: torch.from_numpy(values) for name, values in TENSORS.items()}, path)
    return path


@settings(deadline=None)
@given(st.data())
def test_no_damage_makes_torchs_reader_fall_over(published_pt, data):
    """Any byte of the list of tensors or of the file changed: read, or refused with our error."""
    whole = bytearray(published_pt.read_bytes())
    with zipfile.ZipFile(published_pt) as archive:
        begin, end = whole.index(archive.read("flow/data.pkl")), len(whole) - 1
        listed = begin + archive.getinfo("flow/data.pkl").file_size - 1
    place = data.draw(st.integers(begin, listed) | st.integers(0, end))
    whole[place] = data.draw(st.integers(0, 255))
    path = published_pt.with_name("damaged.pt")
    path.write_bytes(whole)
    try:
        found = PickledCheckpoint(path)
        for name in found.shapes:
            found.read(name)
    except CheckpointError as error:
        named = "damaged.pt" in str(error)
    else:
        named = True
    assert named


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        (b"q\x00", b"h\xff"),  # recalls what was never kept: KeyError
        (b"}q\x00", b"0q\x00"),  # takes from an empty stack: IndexError
        (b"cpuq", b"cpuR"),  # calls a word: TypeError or our own
    ],
)
def test_a_list_of_tensors_that_is_damaged_is_refused_whatever_torch_makes_of_it(
    published_pt, written, instead
):
    whole = published_pt.read_bytes()
    assert written in whole
    path = published_pt.with_name("list.pt")
    path.write_bytes(whole.replace(written, instead, 1))
    with pytest.raises(CheckpointError, match=r"list\.pt: is refused, nothing in it was executed"):
        PickledCheckpoint(path)


def test_a_directory_of_the_zip_that_is_damaged_is_refused(published_pt):
    whole = bytearray(published_pt.read_bytes())
    entry = whole.index(b"PK\x01\x02")
    path = published_pt.with_name("directory.pt")
    for place, byte in ((entry + 6, 0xF0), (entry + 46, 0xC2)):  # version needed, the name
        path.write_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])
        with pytest.raises(CheckpointError, match="not in torch's zip format"):
            PickledCheckpoint(path)


def test_other_things_than_float_tensors_are_refused(tmp_path):
    path = tmp_path / "flow.pt"
    for held, complaint in (
        ({"w": torch.zeros(3, dtype=torch.int64)}, "not plain floats"),
        ({"w": "text"}, "w is no tensor"),
        ([torch.zeros(3)], "no dictionary"),
        ({"w": torch.zeros(1).expand(1 << 40)}, "larger than the file"),
    ):
        torch.save(held, path)
        with pytest.raises(CheckpointError, match=complaint):
            PickledCheckpoint(path)


# The vocabulary.


def ranks_file(path, count):
    lines = (
        base64.b64encode(number.to_bytes(3, "big")).decode() + f" {number}"
        for number in range(count)
    )
    path.write_text("\n".join(lines))


def vocabulary(folder, **changes):
    ranks_file(folder / "tokenizer.model", 151_329)
    listed = {str(number): {"content": tag} for tag, number in (SPECIALS | changes).items()}
    (folder / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": listed}))


def test_the_vocabulary_is_checked_against_the_trained_layout(tmp_path):
    vocabulary(tmp_path)
    assert check_vocabulary(tmp_path) == len(SPECIALS)
    assert read_ranks(tmp_path / "tokenizer.model")[b"\0\0\7"] == 7


def test_every_special_token_that_differs_is_named(tmp_path):
    vocabulary(tmp_path, **{"<|user|>": 3, "<|audio_16383|>": 168_735})
    with pytest.raises(CheckpointError, match="2 special tokens differ") as caught:
        check_vocabulary(tmp_path)
    assert "<|user|> is 3, not 151336" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("AA== 0\nnonsense", ":2: expected 'base64 rank'"),
        ("AA== 0\nAA== 1", ":2: a piece stands there twice"),
        ("AA== 0\nAQ== 2", "are not 0, 1, 2"),
        ("A= 0", ":1: expected"),
    ],
)
def test_ranks_that_are_none(tmp_path, text, complaint):
    (tmp_path / "tokenizer.model").write_text(text)
    with pytest.raises(CheckpointError, match=complaint):
        read_ranks(tmp_path / "tokenizer.model")
