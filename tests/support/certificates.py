"""Certificates for brokers in tests: an authority of one's own, made by openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Authority:
    """A certificate authority: its own certificate and key, in PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class ServerCertificate:
    """What a server or a client shows, and the key that goes with it."""

    certificate: Path
    key: Path


def authority(folder: Path, name: str) -> Authority:
    made = Authority(folder / f"{name}.pem", folder / f"{name}.key")
    _openssl(
        "req", "-x509", *_CURVE, "-days", "2", "-subj", f"/CN={name}",
        "-keyout", made.key, "-out", made.certificate,
    )  # fmt: skip
    return made


def server(folder: Path, signed_by: Authority, host: str, days: int = 2) -> ServerCertificate:
    """A certificate for one host: ``DNS:name`` or ``IP:address``."""
    slug = host.replace(":", "_")
    made = ServerCertificate(folder / f"{slug}.pem", folder / f"{slug}.key")
    request, extras = folder / f"{slug}.csr", folder / f"{slug}.ext"
    extras.write_text(f"subjectAltName={host}\n")
    _openssl("req", *_CURVE, "-subj", "/CN=broker", "-keyout", made.key, "-out", request)
    _openssl(
        "x509", "-req", "-in", request, "-CA", signed_by.certificate, "-CAkey", signed_by.key,
        "-CAcreateserial", "-days", str(days), "-extfile", extras, "-out", made.certificate,
    )  # fmt: skip
    return made


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
