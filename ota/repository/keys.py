"""Signing keys: a public file for everyone, and a private half that lives anywhere.

``alice.pub`` is JSON and holds the public key and where the private half is, as a URI of
securesystemslib: ``file2:alice.pem`` beside it, or ``hsm:``, ``awskms:``, ``gcpkms:``, ``hv:`` and
so on. Only plain files beside their public half sign without being named. A token's PIN is asked
for as a file's passphrase is.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from securesystemslib.exceptions import Error as SecuritySystemsError
from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner, Key, SecretsHandler, Signer, SSlibKey

from ota.release import Word
from ota.repository.errors import PublishError
from ota.storage import Disk

MAX_BYTES = 2**16
_FILE = "file2:"
_UNUSABLE = (ValueError, UnsupportedAlgorithm, SecuritySystemsError)
_HINT_CHARACTERS = 200
_EXTRAS = {"hsm": "hsm", "awskms": "aws", "gcpkms": "gcp", "azurekms": "azure", "hv": "vault"}
"""Which extra of ours brings the library of a URI's scheme."""

Passphrase = Callable[[str], bytes]
"""Asks for the passphrase, or a token's PIN, of the key with this name."""


class _Public(BaseModel):
    """What a ``.pub`` file holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    name: Word
    uri: str = Field(max_length=1024)
    encrypted: bool = False
    keytype: str = Field(max_length=64)
    scheme: str = Field(max_length=64)
    public: str = Field(max_length=2**14)
    keyid: str

    @model_validator(mode="after")
    def _is_its_own(self) -> _Public:
        # One key under two ids would count as two people.
        keyval = {"public": self.public}
        key = {"keytype": self.keytype, "scheme": self.scheme, "keyval": keyval}
        if self.keyid != hashlib.sha256((encode_canonical(key) or "").encode()).hexdigest():
            raise ValueError("the key id is not this key's")
        return self


@dataclass(frozen=True)
class KeyFile:
    """A public key file that was read."""

    path: Path
    public: _Public

    @property
    def name(self) -> str:
        """What people call it."""
        return self.public.name

    @property
    def keyid(self) -> str:
        """What metadata call it."""
        return self.public.keyid

    @property
    def key(self) -> Key:
        """The key, as metadata list it."""
        one = self.public
        return SSlibKey(one.keyid, one.keytype, one.scheme, {"public": one.public})

    @property
    def at_hand(self) -> bool:
        """Whether it signs by itself: a plain private file that is here."""
        private = self._private
        return private is not None and not self.public.encrypted and private.is_file()

    def signer(self, passphrase: Passphrase) -> Signer:
        """The private half, ready to sign.

        Raises:
            PublishError: it is not here, or not the half of this public key.
        """
        try:
            if self._private is None:
                return Signer.from_priv_key_uri(self.public.uri, self.key, self._asked(passphrase))
            secret = passphrase(self.name) if self.public.encrypted else None
            pem = self._private.read_bytes()
            private = serialization.load_pem_private_key(pem, secret)
            return CryptoSigner(private, SSlibKey.from_dict(self.keyid, self.key.to_dict()))
        except Exception as error:  # each cloud's library has errors of its own
            raise self.unusable(error) from error

    def unusable(self, error: BaseException) -> PublishError:
        """What to tell whoever wanted this key's signature, with the library's own hint."""
        text = ": ".join(filter(None, (type(error).__name__, str(error).partition("\n")[0])))
        extra = _EXTRAS.get(self.public.uri.partition(":")[0])
        if isinstance(error, UnsupportedLibraryError) and extra:
            text = f"{text.rstrip('.')}; pip install 'linnet[{extra}]'"
        return PublishError(
            f"key {self.name}: its private half ({self.public.uri}) cannot be used: "
            f"{text[:_HINT_CHARACTERS]}"
        )

    def _asked(self, passphrase: Passphrase) -> SecretsHandler:
        """A token asks at each signature; a person is asked once."""

        @cache
        def secret(_what: str) -> str:
            return passphrase(self.name).decode()

        return secret

    @property
    def _private(self) -> Path | None:
        uri = self.public.uri
        return self.path.parent / uri[len(_FILE) :] if uri.startswith(_FILE) else None


def make_key(directory: Path, name: str, passphrase: bytes | None = None) -> KeyFile:
    """Make an ed25519 key: ``NAME.pem``, readable by its owner alone, and ``NAME.pub``.

    Raises:
        PublishError: there is one of that name, or the name is no plain word.
    """
    signer = CryptoSigner.generate_ed25519()
    private = serialization.load_pem_private_key(signer.private_bytes, None)
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase)
        if passphrase
        else serialization.NoEncryption(),
    )
    uri = f"{_FILE}{name}.pem"
    public = _described(name, uri, signer.public_key, encrypted=passphrase is not None)
    directory.mkdir(parents=True, exist_ok=True)
    _write_new(directory / f"{name}.pem", pem, 0o600)
    return _write_public(directory, public)


def adopt_key(directory: Path, name: str, uri: str, pem: bytes) -> KeyFile:
    """Describe a key whose private half lives elsewhere.

    Args:
        uri: where, in securesystemslib's words.
        pem: its public half.

    Raises:
        PublishError: not a public key in PEM, or a name that is taken.
    """
    try:
        found = serialization.load_pem_public_key(pem)
        key = SSlibKey.from_crypto(found)
    except _UNUSABLE as error:
        raise PublishError(f"key {name}: not a public key in PEM that TUF knows") from error
    directory.mkdir(parents=True, exist_ok=True)
    return _write_public(directory, _described(name, uri, key))


def read_key(path: Path) -> KeyFile:
    """Read a ``.pub`` file.

    Raises:
        PublishError: it is none.
    """
    try:
        with path.open("rb") as file:
            public = _Public.model_validate_json(file.read(MAX_BYTES + 1))
    except OSError as error:
        raise PublishError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        raise PublishError(f"{path}: not a public key made by `linnet fleet key`") from error
    return KeyFile(path, public)


def known_keys(directory: Path) -> list[KeyFile]:
    """Every public key in a directory, by name."""
    return [read_key(path) for path in sorted(directory.glob("*.pub"))]


def keep_public(directory: Path, keys: Iterable[KeyFile]) -> None:
    """Copy public halves into a directory; private ones stay where they are."""
    directory.mkdir(parents=True, exist_ok=True)
    for key in keys:
        target = directory / f"{key.name}.pub"
        if not target.exists():
            _write_new(target, key.public.model_dump_json(indent=1).encode(), 0o644)
        elif read_key(target).keyid != key.keyid:
            raise PublishError(f"{target}: another key has this name")


def _described(name: str, uri: str, key: Key, *, encrypted: bool = False) -> _Public:
    try:
        return _Public(
            name=name,
            uri=uri,
            encrypted=encrypted,
            keytype=key.keytype,
            scheme=key.scheme,
            public=key.keyval["public"],
            keyid=key.keyid,
        )
    except ValidationError as error:
        raise PublishError(f"{name!r} cannot be a key's name: letters, digits, . _ -") from error


def _write_public(directory: Path, public: _Public) -> KeyFile:
    path = directory / f"{public.name}.pub"
    _write_new(path, public.model_dump_json(indent=1).encode(), 0o644)
    return KeyFile(path, public)


def _write_new(path: Path, data: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError as error:
        raise PublishError(f"{path}: exists; a key is never overwritten") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    Disk().sync_directory(path.parent)
