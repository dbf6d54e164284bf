"""hawkBit as the settings describe it: who we are to it, and what the owner has to say.

The updater is the one that its settings make, the server a double at a real socket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from ota.machine import Ledger, Stage
from services.home.embedded_broker import free_port
from services.local_socket import ask
from services.ota_agent.agent import Agent, Wish
from services.settings_file import SettingsError
from tests.support.certificates import authority, server
from tests.support.ddi_double import Action, DdiDouble, Status
from tests.support.http_front import serving
from tests.support.nginx import PROGRAM, Nginx
from tests.support.opened_box import OpenedBox, Published

Ends = Callable[[Agent, Ledger], bool]


class Rig:
    """A box before a hawkBit that lists one device, and a repository on a stick."""

    def __init__(self, folder: Path, published: Published, hawkbit: DdiDouble) -> None:
        self.folder, self.published, self.hawkbit = folder, published, hawkbit
        self.stack = ExitStack()
        self.url = self.stack.enter_context(serving(hawkbit.handle))

    def box(self, **ota: object) -> OpenedBox:
        address = f"file://{self.published.shelf.public}"
        return OpenedBox(
            self.folder, self.published, repository=address, source="hawkbit",
            **{"hawkbit": self.url, "tenant": "DEFAULT", **ota},
        )  # fmt: skip

    def assign(self, confirm: bool = False, kind: str = "soft") -> Action:
        target = self.published.release.target
        return self.hawkbit.assign("box-1", target, kind, confirm=confirm)  # type: ignore[arg-type]


@pytest.fixture
def published(tmp_path: Path) -> Published:
    return Published(tmp_path, opens=None)


@pytest.fixture
def rig(tmp_path: Path, published: Published) -> Iterator[Rig]:
    found = Rig(tmp_path, published, DdiDouble(sleep="00:00:30"))
    with found.stack:
        yield found


def asked(agent: Agent, ledger: Ledger) -> bool:
    return agent.polled is not None


def told(action: Action) -> Ends:
    return lambda agent, ledger: not action.active


def test_what_waits_for_the_owner_begins_when_the_owner_installs_it(rig: Rig) -> None:
    action = rig.assign(confirm=True)
    box, statuses = rig.box(), []

    def shown(agent: Agent, ledger: Ledger) -> bool:
        statuses.append(ask(box.settings.ota.socket, {"do": "status"}))
        return asked(agent, ledger)

    assert box.run(shown).update is None
    assert statuses[-1]["wants_consent"] == "2.0"
    assert action.status is Status.WAIT_FOR_CONFIRMATION

    end = box.until_it_ends(Wish("install", "2.0"))
    assert (end.stage, end.action.isdecimal()) == (Stage.COMMITTED, False)
    box.run(told(action))
    assert action.status is Status.FINISHED, "it runs already, and hawkBit hears of it"
    assert action.executions[0] == "confirmed"
    assert len(box.voice.gates) == 1, "nothing is proved twice"


def test_an_owner_who_always_agrees_is_not_asked(rig: Rig) -> None:
    action = rig.assign(confirm=True, kind="forced")
    rig.box(hawkbit_consent="always", forced_passes_waves=True).run(told(action))
    assert action.status is Status.FINISHED


@pytest.mark.parametrize("passes", [False, True])
def test_a_forced_action_passes_closed_waves_only_where_that_was_allowed(
    tmp_path: Path, passes: bool
) -> None:
    published = Published(tmp_path, opens=timedelta(days=1))
    rig = Rig(tmp_path, published, DdiDouble(sleep="00:00:30"))
    action = rig.assign(kind="forced")

    def held(agent: Agent, ledger: Ledger) -> bool:
        return ledger.active is not None and ledger.active.stage is Stage.STAGED

    with rig.stack:
        rig.box(forced_passes_waves=passes).run(told(action) if passes else held)
    assert action.active is not passes


@pytest.mark.parametrize("kind", ["target", "gateway"])
def test_a_token_is_a_devices_or_a_gateways(
    tmp_path: Path, published: Published, kind: str
) -> None:
    hawkbit = DdiDouble(gateway_token="gate", target_tokens={"box-1": "mine"})
    rig = Rig(tmp_path, published, hawkbit)
    (tmp_path / "token").write_text({"target": "mine\n", "gateway": "gate\n"}[kind])
    with rig.stack:
        box = rig.box(token_file=tmp_path / "token", token_kind=kind)
        box.run(asked)
        other = {"target": "gateway", "gateway": "target"}[kind]
        box = rig.box(token_file=tmp_path / "token", token_kind=other)
        box.run(lambda agent, ledger: "401" in agent.unanswered)


@pytest.mark.skipif(PROGRAM is None, reason="nginx is not installed")
def test_a_certificate_says_who_we_are_where_there_is_no_token(rig: Rig, tmp_path: Path) -> None:
    ours, port = authority(tmp_path, "ours"), free_port()
    shown, own = server(tmp_path, ours, "IP:127.0.0.1"), server(tmp_path, ours, "DNS:box-1")
    front = f"""
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {shown.certificate}; ssl_certificate_key {shown.key};
        ssl_client_certificate {ours.certificate}; ssl_verify_client on;
        location /DEFAULT/ {{
            proxy_pass {rig.url};
            proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto https;
        }}"""
    action = rig.assign()
    tls = {"hawkbit": f"https://127.0.0.1:{port}", "hawkbit_ca_file": ours.certificate}
    with Nginx(tmp_path / "nginx", tmp_path, front):
        rig.box(**tls).run(lambda agent, ledger: "400" in agent.unanswered)
        box = rig.box(**tls, certificate_file=own.certificate, key_file=own.key)
        box.run(lambda agent, ledger: ledger.update is not None)
    assert rig.hawkbit.devices["box-1"].requests > 0
    assert action.active


@pytest.mark.parametrize("key", ["token_file", "hawkbit_ca_file", "certificate_file"])
@pytest.mark.parametrize("content", [None, b"no such thing\n"])
def test_a_file_that_is_of_no_use_is_told_by_its_key(
    rig: Rig, tmp_path: Path, key: str, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "named").write_bytes(content)
    with pytest.raises(SettingsError, match=rf"ota\.{key}"):
        rig.box(**{key: tmp_path / "named"}).run(asked)
