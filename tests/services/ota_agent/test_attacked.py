"""Each attack on the update server, tried on a device that runs: it serves what it had, goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from ota.machine import Stage
from services.ota_agent.taking import BAD_LUCK
from tests.ota.trust.test_attacks import ATTACKS, Attack
from tests.support.update_repository import A, Device
from tests.support.updated_box import SOON, UpdatedBox


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_an_attacked_device_keeps_what_it_has_and_takes_the_honest_release_later(
    attack: Attack, tmp_path: Path
) -> None:
    box = UpdatedBox(tmp_path, A)
    installed, newer = box.prepare("installed", 1, **SOON), box.prepare("newer", 2, **SOON)
    box.repository.publish(A, "rollout")  # the versions that the attacks start from
    box.want(installed, action="one")
    box.run()
    assert box.journal.read().running == installed
    before = box.current

    attack(box.repository, Device(tmp_path / "trust", box.repository))
    box.want(newer, action="two")  # it is signed: but for the attack nothing speaks against it
    box.run()
    assert box.source.ends[1:] == [("failed", "UNTRUSTED")]
    assert (box.current, box.voice.serving, box.content) == (before, before, b"voice installed")
    assert box.journal.read().running == installed
    assert box.trusted.running() == 1, "nothing newer was committed"
    assert len(box.voice.gates) == 1, "nothing was tried"

    # The honest publisher goes on, and the device asks again a while later.
    for role, versions in ((A, 1), ("timestamp", 5), ("snapshot", 5)):
        box.repository.signed[role].version += versions
    box.repository.publish(A, "rollout")
    update = box.journal.read().update
    assert update is not None
    assert update.reason in BAD_LUCK
    box.clock.now += 6 * 3600
    box.clock.now += -box.clock.now % 86_400  # at night
    ledger = box.run()
    assert ledger.update is not None
    assert ledger.update.stage is Stage.COMMITTED
    assert box.content == b"voice newer"
    assert box.trusted.running() == 2
