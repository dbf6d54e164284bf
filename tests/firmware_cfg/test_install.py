"""``firmware_cfg/install`` into an image."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

INSTALL = Path(__file__).parents[2] / "firmware_cfg" / "install"
SETTINGS = "etc/linnet/linnet.toml"


def install(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(INSTALL), *options],
        env={**os.environ, "DESTDIR": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )


def laid_down(root: Path) -> dict[str, tuple[int, bytes]]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {
        str(p.relative_to(root)): (stat.S_IMODE(p.stat().st_mode), p.read_bytes()) for p in files
    }


def test_lays_every_file_down_readable(tmp_path: Path) -> None:
    assert install(tmp_path).returncode == 0
    found = laid_down(tmp_path)
    assert {SETTINGS, "etc/systemd/system/linnet-voice.service", "etc/asound.conf"} <= set(found)
    assert {mode for mode, _ in found.values()} == {0o644}


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    install(tmp_path)
    before = laid_down(tmp_path)
    again = install(tmp_path)
    assert (again.returncode, again.stdout) == (0, "")
    assert laid_down(tmp_path) == before


def test_what_the_owner_edited_stays_and_ours_is_renewed(tmp_path: Path) -> None:
    install(tmp_path)
    unit = tmp_path / "etc/systemd/system/linnet-voice.service"
    new = unit.read_bytes()
    unit.write_text("old")
    (tmp_path / SETTINGS).write_text("[wake]\nsensitivity = 0.7\n")
    done = install(tmp_path)
    assert unit.read_bytes() == new
    assert (tmp_path / SETTINGS).read_text() == "[wake]\nsensitivity = 0.7\n"
    assert (tmp_path / f"{SETTINGS}.new").exists()
    assert f"kept {tmp_path}/{SETTINGS}" in done.stdout


def test_an_unknown_option_is_refused(tmp_path: Path) -> None:
    done = install(tmp_path, "--purge")
    assert done.returncode == 2
    assert "usage:" in done.stderr
    assert not laid_down(tmp_path)
