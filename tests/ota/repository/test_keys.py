"""Keys: plain files, protected files, and halves that live elsewhere."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from securesystemslib.signer import CryptoSigner

from ota.repository.errors import PublishError
from ota.repository.keys import adopt_key, keep_public, known_keys, make_key, read_key


def nothing(name: str) -> bytes:
    raise AssertionError(f"nobody should ask for the passphrase of {name}")


def test_a_key_signs_and_its_private_half_is_its_owners_alone(tmp_path: Path) -> None:
    key = make_key(tmp_path, "alice")
    assert stat.S_IMODE((tmp_path / "alice.pem").stat().st_mode) == 0o600
    assert key.at_hand
    signature = read_key(tmp_path / "alice.pub").signer(nothing).sign(b"data")
    key.key.verify_signature(signature, b"data")
    assert b"PRIVATE" not in (tmp_path / "alice.pub").read_bytes()


def test_a_protected_key_asks_for_its_passphrase_and_never_signs_by_itself(tmp_path: Path) -> None:
    key = make_key(tmp_path, "alice", b"open sesame")
    assert not key.at_hand
    assert b"ENCRYPTED" in (tmp_path / "alice.pem").read_bytes()
    signature = key.signer(lambda name: b"open sesame").sign(b"data")
    key.key.verify_signature(signature, b"data")
    with pytest.raises(PublishError, match="key alice: its private half"):
        key.signer(lambda name: b"wrong")


def test_a_key_is_never_overwritten_and_its_name_is_a_word(tmp_path: Path) -> None:
    make_key(tmp_path, "alice")
    with pytest.raises(PublishError, match="exists"):
        make_key(tmp_path, "alice")
    for name in ("../alice", "", "a b"):
        with pytest.raises(PublishError):
            make_key(tmp_path, name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alice.pem", "alice.pub"]


def test_a_key_elsewhere_is_known_by_its_public_half(tmp_path: Path) -> None:
    """The private half at a URI of securesystemslib; here a file under another name."""
    signer = CryptoSigner.generate_ecdsa()
    private = tmp_path / "somewhere.pem"
    private.write_bytes(signer.private_bytes)
    public = serialization.load_pem_private_key(signer.private_bytes, None).public_key()
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    key = adopt_key(tmp_path / "keys", "token", f"file2:{private}", pem)
    key.key.verify_signature(key.signer(nothing).sign(b"data"), b"data")
    cloud = adopt_key(tmp_path / "keys", "cloud", "nosuch:key/1", pem)
    assert not cloud.at_hand
    with pytest.raises(PublishError, match="key cloud: its private half"):
        cloud.signer(nothing)
    with pytest.raises(PublishError, match="not a public key"):
        adopt_key(tmp_path / "keys", "bad", "hsm:", b"-----BEGIN")


def test_the_half_of_another_key_is_not_used(tmp_path: Path) -> None:
    make_key(tmp_path, "alice")
    make_key(tmp_path, "mallory")
    (tmp_path / "mallory.pem").replace(tmp_path / "alice.pem")
    with pytest.raises(PublishError, match="alice"):
        read_key(tmp_path / "alice.pub").signer(nothing)


def test_a_file_that_is_no_key_or_lies_about_its_id_is_refused(tmp_path: Path) -> None:
    path = make_key(tmp_path, "alice").path
    honest = json.loads(path.read_text())
    for wrong in ("{", "[]", json.dumps({**honest, "keyid": "x"}), json.dumps({"format": 2})):
        path.write_text(wrong)
        with pytest.raises(PublishError, match=r"alice\.pub"):
            read_key(path)
    path.write_text(json.dumps({**honest, "keyid": "0" * 64}))
    with pytest.raises(PublishError, match=r"alice\.pub"):
        read_key(path)


def test_public_halves_are_gathered_and_names_stay_unique(tmp_path: Path) -> None:
    alice = make_key(tmp_path / "home", "alice")
    keep_public(tmp_path / "keys", [alice, alice])
    assert [key.keyid for key in known_keys(tmp_path / "keys")] == [alice.keyid]
    assert not known_keys(tmp_path / "keys")[0].at_hand
    with pytest.raises(PublishError, match="another key has this name"):
        keep_public(tmp_path / "keys", [make_key(tmp_path / "other", "alice")])
