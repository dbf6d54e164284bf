"""Keys: plain files, protected files, and halves that live elsewhere."""

from __future__ import annotations

import json
import stat
from importlib.util import find_spec
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from securesystemslib.signer import (
    SIGNER_FOR_URI_SCHEME,
    CryptoSigner,
    Key,
    SecretsHandler,
    Signature,
    Signer,
)

from ota.repository.errors import PublishError
from ota.repository.keys import KeyFile, adopt_key, keep_public, known_keys, make_key, read_key
from ota.repository.publisher import Publisher
from ota.repository.setup import Founders, Signers, found
from tests.support.published import START


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


class Token(Signer):
    """A token in a drawer: it holds one key, and wants its PIN at each signature."""

    held = CryptoSigner.generate_ecdsa()
    pin = "123456"

    def __init__(self, key: Key, secrets: SecretsHandler) -> None:
        self._key, self._secrets = key, secrets

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None
    ) -> Token:
        if secrets_handler is None:
            raise ValueError("a token requires a secrets handler")
        return cls(public_key, secrets_handler)

    @property
    def public_key(self) -> Key:
        return self._key

    def sign(self, payload: bytes) -> Signature:
        if self._secrets("pin") != self.pin:
            raise LookupError("wrong PIN")  # a library's own kind of error
        return Signature(self._key.keyid, self.held.sign(payload).signature)


def _adopted(directory: Path, uri: str, signer: CryptoSigner) -> KeyFile:
    public = serialization.load_pem_private_key(signer.private_bytes, None).public_key()
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return adopt_key(directory, uri.partition(":")[0], uri, pem)


def _founded(directory: Path, key: KeyFile, pin: str) -> list[str]:
    """Found a repository that this key signs all of; whom it asked for a PIN."""
    asked: list[str] = []

    def passphrase(name: str) -> bytes:
        asked.append(name)
        return pin.encode()

    publisher = Publisher(directory, now=START, keys=[key], passphrase=passphrase)
    publisher.shelf.make()
    everyone = Signers((key,))
    founders = Founders(everyone, everyone, everyone, everyone, {})
    assert found(publisher, founders).waiting == ()
    return asked


def test_a_token_signs_everything_after_one_question_for_its_pin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SIGNER_FOR_URI_SCHEME, "token", Token)
    key = _adopted(tmp_path / "keys", "token:1", Token.held)
    assert _founded(tmp_path / "fleet", key, Token.pin) == ["token"]


@pytest.mark.parametrize(
    ("held", "pin", "said"),
    [
        (Token.held, "0000", "LookupError: wrong PIN"),
        (CryptoSigner.generate_ecdsa(), Token.pin, "UnverifiedSignatureError"),
    ],
)
def test_a_token_that_will_not_sign_says_so_and_publishes_nothing(
    held: CryptoSigner, pin: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong PIN; or another key in the token than its public half says."""
    monkeypatch.setitem(SIGNER_FOR_URI_SCHEME, "token", Token)
    key = _adopted(tmp_path / "keys", "token:1", held)
    with pytest.raises(PublishError, match=f"key token: its private half .*{said}"):
        _founded(tmp_path / "fleet", key, pin)
    assert list((tmp_path / "fleet/public/metadata").iterdir()) == []


@pytest.mark.skipif(find_spec("hvac") is not None, reason="the vault's library is installed here")
def test_a_missing_library_is_named_with_what_brings_it(tmp_path: Path) -> None:
    key = _adopted(tmp_path, "hv:linnet/1", CryptoSigner.generate_ed25519())
    with pytest.raises(PublishError, match=r"requires hvac.*; pip install 'linnet\[vault\]'"):
        key.signer(lambda _: b"")


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
    key = _adopted(tmp_path / "keys", f"file2:{private}", signer)
    key.key.verify_signature(key.signer(nothing).sign(b"data"), b"data")
    cloud = _adopted(tmp_path / "keys", "nosuch:key/1", signer)
    assert not cloud.at_hand
    with pytest.raises(PublishError, match=r"key nosuch: .*Unsupported private key scheme nosuch"):
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
