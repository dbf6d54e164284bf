"""``linnet fleet`` with a key inside a PKCS#11 token: SoftHSM, a real one without the hardware."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ota.layout import Addresses
from ota.trust.client import Trust
from services.exit_codes import ExitCode
from tests.support.published import BASE, FilesFetcher

LIBRARY = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = "123456"

pytestmark = pytest.mark.skipif(
    shutil.which("softhsm2-util") is None or not LIBRARY.exists() or find_spec("pkcs11") is None,
    reason="needs Debian's softhsm2 and pip install 'linnet[hsm]'",
)


@pytest.fixture
def token(tmp_path: Path) -> dict[str, str]:
    """A token named ``linnet`` with one key in slot 2; the environment that reaches it.

    Its public half lies at ``token.pem``.
    """
    (tmp_path / "tokens").mkdir()
    conf = tmp_path / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {tmp_path / 'tokens'}\n", "utf-8")
    environment = {**os.environ, "SOFTHSM2_CONF": str(conf), "PYKCS11LIB": str(LIBRARY)}
    private = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "private.pem").write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    for words in (
        f"--init-token --free --label linnet --pin {PIN} --so-pin 12345678",
        f"--import private.pem --token linnet --label ann --id 02 --pin {PIN}",
    ):
        subprocess.run(
            ["softhsm2-util", *words.split()],
            env=environment, cwd=tmp_path, check=True, capture_output=True, timeout=60,
        )  # fmt: skip
    (tmp_path / "private.pem").unlink()
    (tmp_path / "token.pem").write_bytes(
        private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return environment


def fleet(words: str, environment: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """In a process of its own: a PKCS#11 library reads its settings once."""
    source = Path(__file__).parents[3]
    return subprocess.run(
        [sys.executable, "-m", "services.cli", "fleet", *words.split()],
        env={**environment, "PYTHONPATH": os.pathsep.join([str(source), *sys.path])},
        cwd=cwd, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_a_fleet_is_founded_with_a_key_that_never_leaves_its_token(
    token: dict[str, str], tmp_path: Path
) -> None:
    made = fleet("key ann --uri hsm:2?label=linnet --public token.pem", token, tmp_path)
    assert made.returncode == ExitCode.OK, made.stderr
    founding = "init --root keys/ann.pub --targets keys/ann.pub --online keys/online.pub"
    assert fleet("key online", token, tmp_path).returncode == ExitCode.OK
    wrong = fleet(
        f"{founding} --key keys/ann.pub", {**token, "LINNET_KEY_PASSPHRASE": "000000"}, tmp_path
    )
    assert wrong.returncode == ExitCode.UPDATE
    assert "key ann: its private half (hsm:2?label=linnet) cannot be used: PinIn" in wrong.stderr
    right = fleet("sign --key keys/ann.pub", {**token, "LINNET_KEY_PASSPHRASE": PIN}, tmp_path)
    assert "1.root" in right.stdout, right.stderr
    trust = Trust(
        tmp_path / "device",
        (tmp_path / "public/metadata/1.root.json").read_bytes(),
        Addresses.under(BASE),
        fetcher=FilesFetcher(tmp_path / "public"),
    )
    trust.refresh()
