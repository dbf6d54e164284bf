"""Bundles: what is accepted, and that each thing that may be wrong is said in one clear line."""

from __future__ import annotations

import hashlib
import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.bundle import (
    BadManifest,
    Bundle,
    BundleError,
    Manifest,
    MissingPart,
    RuntimeTooOld,
    WrongHash,
)
from device.manifest import MAX_MANIFEST_BYTES
from model_export.pack import PartSource, pack
from tests.device import graphs


@pytest.fixture
def bundle_dir(tmp_path):
    source = graphs.save(graphs.attention(), tmp_path / "source.onnx")
    voice = tmp_path / "voice.json"
    voice.write_text('{"voice": 1}')
    target = tmp_path / "bundle"
    pack(target, graphs.head(), {"lm": PartSource(source, "fp32")}, {"voice": voice})
    return target


def edit(bundle_dir, change):
    """Apply ``change`` to the manifest's JSON."""
    path = bundle_dir / "manifest.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def test_a_packed_bundle_opens_and_tells_what_was_packed(bundle_dir):
    bundle = Bundle.open(bundle_dir)
    part = bundle.part("lm")
    assert part.path == bundle_dir / "lm.onnx"
    assert part.spec.sha256 == hashlib.sha256(part.path.read_bytes()).hexdigest()
    assert [tensor.name for tensor in part.spec.inputs] == ["x", "mask"]
    assert [tensor.name for tensor in part.spec.state] == ["past_k_0", "past_v_0"]
    assert [tensor.name for tensor in part.spec.graph_outputs] == ["y", "new_k_0", "new_v_0"]
    assert bundle.file("voice").read_text() == '{"voice": 1}'
    assert bundle.manifest.config == {"hidden": 8, "phrase": "okay nabu", "rates": (2, 2)}
    assert bundle.manifest.schedule.text == 13
    assert bundle.digest == hashlib.sha256((bundle_dir / "manifest.json").read_bytes()).hexdigest()


def test_names_that_are_not_there(bundle_dir):
    bundle = Bundle.open(bundle_dir)
    with pytest.raises(MissingPart, match=r"has no part 'vocoder'; use one of \['lm'\]"):
        bundle.part("vocoder")
    with pytest.raises(MissingPart, match=r"has no file 'nose'; use one of \['voice'\]"):
        bundle.file("nose")


def test_one_flipped_bit_is_found(bundle_dir):
    path = bundle_dir / "lm.onnx"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(WrongHash, match=r"lm\.onnx: is not the file .* fetch the bundle again"):
        Bundle.open(bundle_dir)


def test_a_file_of_another_size_is_not_hashed(bundle_dir):
    with (bundle_dir / "voice.json").open("ab") as stream:
        stream.truncate(10 * 2**40)  # sparse: hashing it would take an hour
    with pytest.raises(WrongHash, match=r"voice\.json: has 10995116277760 bytes instead of 12"):
        Bundle.open(bundle_dir)


def test_a_missing_file(bundle_dir):
    (bundle_dir / "lm.onnx").unlink()
    with pytest.raises(MissingPart, match=r"lm\.onnx: cannot be read: No such file"):
        Bundle.open(bundle_dir)


def test_a_missing_directory_and_a_file_in_its_place(tmp_path):
    with pytest.raises(BadManifest, match=r"nowhere/manifest\.json: cannot be read: No such file"):
        Bundle.open(tmp_path / "nowhere")
    (tmp_path / "plain").write_text("x")
    with pytest.raises(BadManifest, match="cannot be read: Not a directory"):
        Bundle.open(tmp_path / "plain")


@pytest.mark.parametrize(
    "path",
    [
        "../source.onnx",
        "/etc/passwd",
        "a/../../source.onnx",
        "./lm.onnx",
        "a//b",
        ".hidden",
        "a\\b",
        "a\0b",
        "lm.onnx\n",
        "",
        "manifest.json",
    ],
)
def test_a_path_that_leaves_the_bundle_is_refused(bundle_dir, path):
    edit(bundle_dir, lambda data: data["files"]["voice"].update(file=path))
    with pytest.raises(BadManifest):
        Bundle.open(bundle_dir)


@pytest.mark.parametrize("link_directory", [False, True])
def test_a_link_out_of_the_bundle_is_refused(bundle_dir, tmp_path, link_directory):
    outside = tmp_path / "outside"
    outside.mkdir()
    (bundle_dir / "voice.json").rename(outside / "voice.json")
    if link_directory:
        (bundle_dir / "voices").symlink_to(outside)
        edit(bundle_dir, lambda data: data["files"]["voice"].update(file="voices/voice.json"))
    else:
        (bundle_dir / "voice.json").symlink_to(outside / "voice.json")
    with pytest.raises(BadManifest, match="is reached through a link"):
        Bundle.open(bundle_dir)


def test_a_pipe_in_place_of_a_file_does_not_hang(bundle_dir):
    (bundle_dir / "voice.json").unlink()
    os.mkfifo(bundle_dir / "voice.json")
    with pytest.raises(MissingPart, match="is not a plain file"):
        Bundle.open(bundle_dir)


def test_the_bundle_directory_itself_may_be_a_link(bundle_dir, tmp_path):
    (tmp_path / "current").symlink_to(bundle_dir)  # how slots are switched
    assert Bundle.open(tmp_path / "current").manifest.family == "tiny"


def test_a_bundle_for_a_newer_linnet(bundle_dir):
    edit(bundle_dir, lambda data: data.update(minimum_runtime="7.0"))
    with pytest.raises(RuntimeTooOld, match=r"needs Linnet 7\.0, this is .*; update Linnet first"):
        Bundle.open(bundle_dir)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda d: d.update(colour="red"), "colour: Extra inputs"),
        (lambda d: d.pop("family"), "family: Field required"),
        (lambda d: d.update(format=2), "format: "),
        (lambda d: d.update(sample_rate_in="16000"), "sample_rate_in: "),
        (lambda d: d.update(sample_rate_in=0), "sample_rate_in: "),
        (lambda d: d["schedule"].update(text=0), "schedule.text: "),
        (lambda d: d["parts"]["lm"].update(sha256="XYZ"), "parts.lm.sha256: "),
        (lambda d: d["parts"]["lm"].update(bytes=-1), "parts.lm.bytes: "),
        (lambda d: d["parts"]["lm"].update(precision="int3"), "parts.lm.precision: "),
        (lambda d: d["parts"]["lm"]["inputs"][0].update(dtype="f64"), "parts.lm.inputs.0.dtype: "),
        (lambda d: d["parts"]["lm"]["inputs"][0].update(dims=[0]), "parts.lm.inputs.0.dims.0"),
        (lambda d: d["parts"]["lm"]["state"][0].update(dims=[4, 1, 8]), "must have a named first"),
        (lambda d: d["parts"]["lm"]["state"][0].update(dims=["P", "n", 8]), "has an open size"),
        (lambda d: d["parts"]["lm"]["state"].append(d["parts"]["lm"]["inputs"][0]), "x"),
        (lambda d: d["files"].update(twin=d["files"]["voice"]), "a file is listed twice"),
        (lambda d: d.update(self_test={"file": "lm.onnx", "tokens": [1]}), "not among the files"),
        (lambda d: d.update(parts={}), "parts: "),
        (lambda d: d.update(languages=["English"]), "languages.0: "),
    ],
)
def test_a_manifest_that_says_what_it_may_not(bundle_dir, change, complaint):
    edit(bundle_dir, change)
    with pytest.raises(BadManifest) as caught:
        Bundle.open(bundle_dir)
    assert complaint in str(caught.value)
    assert str(bundle_dir / "manifest.json") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_manifest_that_is_too_large_is_not_read_whole(bundle_dir):
    with (bundle_dir / "manifest.json").open("ab") as stream:
        stream.truncate(2**42)
    with pytest.raises(BadManifest, match=f"is larger than {MAX_MANIFEST_BYTES} bytes"):
        Bundle.open(bundle_dir)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_break_the_parser(data):
    with pytest.raises(BundleError):
        Manifest.parse(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
VALID = Manifest.model_validate(
    {
        **dict(graphs.head()),
        "parts": {
            "lm": {
                "file": "lm.onnx",
                "bytes": 5,
                "sha256": "0" * 64,
                "precision": "w8",
                "inputs": [{"name": "x", "dtype": "f32", "dims": ["T", 8]}],
                "outputs": [{"name": "y", "dtype": "f32", "dims": ["T", 8]}],
                "state": [{"name": "past_k", "dtype": "f32", "dims": ["P", 1, 8]}],
            }
        },
    }
)


def replaced(tree, path, new):
    """A copy of a JSON tree with the value at one of its places replaced."""
    if not path or not isinstance(tree, dict | list) or not tree:
        return new
    keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
    key = keys[path[0] % len(keys)]
    copy = tree.copy()
    copy[key] = replaced(tree[key], path[1:], new)
    return copy


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(0, 40), max_size=6), JSON)
def test_no_value_in_any_place_breaks_the_parser(path, new):
    data = json.dumps(replaced(json.loads(VALID.model_dump_json()), path, new)).encode()
    try:
        manifest = Manifest.parse(data)
    except BundleError:
        return
    # What was accepted is a whole manifest: it survives being written and read.
    assert Manifest.parse(manifest.model_dump_json().encode()) == manifest


def test_deep_nesting_is_refused():
    with pytest.raises(BadManifest):
        Manifest.parse(b'{"config":' + b"[" * 100_000)
