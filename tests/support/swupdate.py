"""Debian's ``swupdate``, unmodified, as a device of somebody else's making."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

PROGRAM = shutil.which("swupdate")
_SUBJECT = ("-subj", "/CN=test", "-days", "2", "-addext", "extendedKeyUsage=emailProtection")


def image(folder: Path, text: bytes) -> tuple[bytes, Path]:
    """A signed image that puts ``text`` into a file; the image, and where the file will be."""
    _openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", *_SUBJECT,
        "-keyout", folder / "key.pem", "-out", folder / "pub.pem",
    )  # fmt: skip
    target = folder / "installed"
    description = folder / "sw-description"
    description.write_text(
        'software = { version = "1.0"; hardware-compatibility: [ "1.0" ]; '
        'files: ( { filename = "note"; '
        f'path = "{target}"; sha256 = "{hashlib.sha256(text).hexdigest()}"; }} ); }};\n'
    )
    _openssl(
        "cms", "-sign", "-in", description, "-out", folder / "signature",
        "-signer", folder / "pub.pem", "-inkey", folder / "key.pem",
        "-outform", "DER", "-nosmimecap", "-binary",
    )  # fmt: skip
    members = [
        ("sw-description", description.read_bytes()),
        ("sw-description.sig", (folder / "signature").read_bytes()),
        ("note", text),
    ]
    return _cpio(members), target


@contextlib.contextmanager
def running(
    folder: Path, origin: str, device: str, token: str, *, restarted: bool = False
) -> Iterator[Path]:
    """The daemon polling once a second; its log. ``image`` made the key it trusts.

    Args:
        restarted: after an installation, as by a boot script that found the new system sound: only
            then does it tell the server of success.
    """
    assert PROGRAM is not None
    config, log = folder / "swupdate.cfg", folder / "swupdate.log"
    config.write_text("globals: {};\n")
    command = [
        PROGRAM, "-v", "-M", "-m", "-H", "test:1.0",
        "-f", str(config), "-k", str(folder / "pub.pem"),
        "-u", f"-t DEFAULT -u {origin} -i {device} -k {token} -p 1{' -c 2' if restarted else ''}",
    ]  # fmt: skip
    # Its sockets have fixed names in the temporary directory, whose path must be short for them.
    with log.open("wb") as out, tempfile.TemporaryDirectory(prefix="swu") as sockets:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env={**os.environ, "TMPDIR": sockets}
        )
        try:
            yield log
        finally:
            process.terminate()
            process.wait(10)


def _cpio(members: list[tuple[str, bytes]]) -> bytes:
    """An archive as ``cpio -H crc`` writes it."""
    out = bytearray()
    for inode, (name, data) in enumerate([*members, ("TRAILER!!!", b"")], 1):
        mode, links = (0, 1) if name == "TRAILER!!!" else (0o100644, 1)
        fields = (inode, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(name) + 1, sum(data))
        out += b"070702" + b"".join(b"%08X" % (value & 0xFFFFFFFF) for value in fields)
        out += name.encode() + b"\0"
        out += bytes(-len(out) % 4) + data
        out += bytes(-len(out) % 4)
    return bytes(out) + bytes(-len(out) % 512)


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
