"""Our hawkBit client against the double: each rule whose breach would cost a device."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota.errors import Reason, TransferError
from ota.phases import Phase
from ota.release import Facts
from ota.rollout.hawkbit import HawkbitDdi, Server
from ota.rollout.source import Assignment, Report
from ota.rollout.web import Answer, HttpWeb
from tests.support.ddi_double import MAX_STATUS_ENTRIES, DdiDouble, Kind, Status
from tests.support.ddi_web import DdiWeb
from tests.support.http_front import serving

TARGET = "models/orin-nano-jp6/2026.3/release.json"
FACTS = Facts(device_class="orin-nano-jp6", board="orin-nano", sm=87, memory_mb=7620, app="0.4")
SERVER = Server("https://hawkbit.example", "spk-1", token="secret")


class Rig:
    """A device and its hawkBit; the origin of links is the server's own."""

    def __init__(self, server: Server = SERVER, **options: object) -> None:
        self.hawkbit = DdiDouble(target_tokens={server.device_id: "secret"})
        self.hawkbit.origin = server.url
        self.web = DdiWeb(self.hawkbit)
        self.standing: dict[str, Phase] = {}
        self.owner: bool | None = None
        self.client = HawkbitDdi(
            server,
            FACTS,
            self.web,
            standing=self.standing.get,
            consent=lambda target: self.owner,
            chance=lambda: 0.5,
            **options,  # type: ignore[arg-type]
        )

    def asked(self) -> list[str]:
        """What was asked since the last call, without the device's base path."""
        found = [
            f"{method} {path.split('?')[0].partition('/spk-1')[2] or '/'}"
            for method, path in self.web.asked
        ]
        self.web.asked.clear()
        return found


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_an_unknown_device_registers_and_tells_what_it_is(rig: Rig) -> None:
    assert rig.client.poll() is None
    assert rig.hawkbit.devices["spk-1"].attributes == {
        "class": "orin-nano-jp6", "board": "orin-nano", "sm": "87", "memory_mb": "7620",
        "app": "0.4",
    }  # fmt: skip
    rig.asked()
    rig.client.poll()
    rig.client.poll()
    assert rig.asked() == ["GET /", "GET /"]


@pytest.mark.parametrize("number", [1, 10, 100, 2**31, 2**63 - 1, 9_999_999_990])
@pytest.mark.parametrize(
    ("kind", "install"), [("soft", "quiet"), ("forced", "now"), ("downloadonly", "not yet")]
)
def test_an_assignment_is_the_release_that_the_module_names(
    rig: Rig, number: int, kind: Kind, install: str
) -> None:
    rig.hawkbit.next_id = number
    rig.hawkbit.assign("spk-1", TARGET, kind)
    assert rig.client.poll() == Assignment(str(number), TARGET, install)  # type: ignore[arg-type]


def test_the_same_assignment_is_given_while_nothing_changed(rig: Rig) -> None:
    rig.hawkbit.assign("spk-1", TARGET)
    first = rig.client.poll()
    rig.client.poll()
    rig.asked()
    assert rig.client.poll() == first
    assert rig.asked() == ["GET /", "GET /deploymentBase/1"]


def test_hrefs_are_followed_verbatim_so_a_forced_action_is_seen(rig: Rig) -> None:
    action = rig.hawkbit.assign("spk-1", TARGET, "soft")
    before = rig.client.poll()
    action.kind = "forced"
    after = rig.client.poll()
    assert (before and before.install, after and after.install) == ("quiet", "now")
    queries = [path.partition("?")[2] for _, path in rig.web.asked if "deploymentBase" in path]
    assert len(set(queries)) == 2


def test_a_forced_action_does_not_pass_the_waves_unless_the_owner_of_the_fleet_says_so() -> None:
    for rig, forced in ((Rig(), False), (Rig(forced_passes_waves=True), True)):
        rig.hawkbit.assign("spk-1", TARGET, "forced")
        found = rig.client.poll()
        assert found is not None
        assert found.forced is forced


def test_outside_of_its_maintenance_window_it_only_downloads(rig: Rig) -> None:
    action = rig.hawkbit.assign("spk-1", TARGET, "forced", window=False)
    found = rig.client.poll()
    assert found is not None
    assert found.install == "not yet"
    action.window = True  # the base document is the same, the deployment is not
    found = rig.client.poll()
    assert found is not None
    assert found.install == "now"


@pytest.mark.parametrize(
    ("target", "code"),
    [(None, Reason.BAD_RELEASE), ("models/orin-nx-jp6/2026.3/release.json", Reason.MISFIT),
     ("../../etc/passwd", Reason.MISFIT)],
)  # fmt: skip
def test_a_module_that_names_no_release_of_this_class_is_refused_at_once(
    rig: Rig, target: str | None, code: Reason
) -> None:
    action = rig.hawkbit.assign("spk-1", target)
    assert rig.client.poll() is None
    assert action.status is Status.ERROR
    assert action.history[-1]["status"]["code"] == code
    assert rig.client.poll() is None


def test_a_whole_update_tells_hawkbit_each_step_and_success_only_when_committed(rig: Rig) -> None:
    action = rig.hawkbit.assign("spk-1", TARGET)
    phases = list(Phase)[1:7]
    for phase in phases:
        rig.client.report(Report("1", phase))
        assert action.active
    rig.client.report(Report("1", Phase.COMMITTED))
    assert action.executions == [
        "scheduled", "download", "downloaded", "proceeding", "proceeding", "proceeding", "closed",
    ]  # fmt: skip
    assert action.status is Status.FINISHED
    assert rig.hawkbit.devices["spk-1"].installed == 1


@pytest.mark.parametrize("phase", [Phase.ROLLED_BACK, Phase.FAILED])
def test_a_bad_end_carries_its_code(rig: Rig, phase: Phase) -> None:
    action = rig.hawkbit.assign("spk-1", TARGET)
    rig.client.report(Report("1", phase, Reason.GATE_CALL, "another call"))
    status = action.history[-1]["status"]
    assert action.status is Status.ERROR
    assert status["code"] == 403
    assert status["details"] == [phase.value, "gate_call", "another call"]


def test_a_download_only_action_ends_when_everything_is_here(rig: Rig) -> None:
    action = rig.hawkbit.assign("spk-1", TARGET, "downloadonly")
    rig.client.report(Report("1", Phase.VERIFIED))
    assert action.status is Status.DOWNLOADED
    assert rig.client.poll() is None


def test_a_power_cut_shows_as_resumed(rig: Rig) -> None:
    action = rig.hawkbit.assign("spk-1", TARGET)
    rig.client.report(Report("1", Phase.TRIAL, resumed=True))
    assert action.executions == ["resumed"]
    rig.client.report(Report("1", Phase.COMMITTED, resumed=True))
    assert action.executions == ["resumed", "closed"]


def test_progress_cannot_eat_the_servers_quota(rig: Rig) -> None:
    action = rig.hawkbit.assign("spk-1", TARGET)
    for done in range(5000):
        rig.client.report(Report("1", Phase.DOWNLOADING, done=done, total=5000))
    assert len(action.history) <= 11
    assert action.history[-1]["status"]["result"]["progress"] == {"cnt": 90, "of": 100}


def test_bytes_beyond_32_bits_do_not_reach_the_servers_integers(rig: Rig) -> None:
    action = rig.hawkbit.assign("spk-1", TARGET)
    rig.client.report(Report("1", Phase.DOWNLOADING, done=2**40, total=2**39))
    assert action.history[-1]["status"]["result"]["progress"] == {"cnt": 100, "of": 100}


# --- taken back --------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [None, *list(Phase)[1:6]])
def test_a_cancellation_before_the_trial_is_accepted(rig: Rig, phase: Phase | None) -> None:
    action = rig.hawkbit.assign("spk-1", TARGET)
    rig.client.poll()
    if phase is not None:
        rig.standing["1"] = phase
    rig.hawkbit.cancel(action)
    assert rig.client.poll() is None
    assert action.status is Status.CANCELED
    rig.client.report(Report("1", Phase.FAILED, Reason.CANCELLED))  # 410: needs no more telling


@pytest.mark.parametrize("number", [7, 10])
def test_a_cancellation_during_the_trial_comes_too_late(rig: Rig, number: int) -> None:
    rig.hawkbit.next_id = number
    action = rig.hawkbit.assign("spk-1", TARGET)
    rig.standing[str(number)] = Phase.TRIAL
    rig.hawkbit.cancel(action)
    assert rig.client.poll() == Assignment(str(number), TARGET)
    assert action.executions == ["rejected"]
    rig.client.report(Report(str(number), Phase.COMMITTED))
    assert action.status is Status.FINISHED


def test_an_end_that_was_not_told_yet_survives_a_cancellation(rig: Rig) -> None:
    action = rig.hawkbit.assign("spk-1", TARGET)
    rig.standing["1"] = Phase.COMMITTED
    rig.hawkbit.cancel(action)
    rig.client.poll()
    rig.client.report(Report("1", Phase.COMMITTED))
    assert action.status is Status.FINISHED


def test_a_new_assignment_follows_the_one_that_it_replaces(rig: Rig) -> None:
    first = rig.hawkbit.assign("spk-1", TARGET)
    rig.client.poll()
    newer = TARGET.replace("2026.3", "2026.4")
    rig.hawkbit.assign("spk-1", newer)
    assert rig.client.poll() is None
    assert first.status is Status.CANCELED
    assert rig.client.poll() == Assignment("2", newer)


def test_a_force_cancelled_action_needs_no_more_telling(rig: Rig) -> None:
    action = rig.hawkbit.assign("spk-1", TARGET)
    rig.hawkbit.cancel(action, force=True)
    rig.client.report(Report("1", Phase.COMMITTED))
    assert action.history == []


# --- the owner ---------------------------------------------------------------------------------


def test_without_an_answer_of_the_owner_nothing_begins(rig: Rig) -> None:
    action = rig.hawkbit.assign("spk-1", TARGET, confirm=True)
    assert rig.client.poll() is None
    assert action.status is Status.WAIT_FOR_CONFIRMATION
    rig.owner = True
    assert rig.client.poll() == Assignment("1", TARGET)


def test_a_refusal_of_the_owner_is_said_once_and_may_be_revised(rig: Rig) -> None:
    action = rig.hawkbit.assign("spk-1", TARGET, confirm=True)
    rig.owner = False
    for _ in range(5):
        assert rig.client.poll() is None
    assert action.executions == ["denied"]
    rig.owner = True
    assert rig.client.poll() is not None


# --- trouble -----------------------------------------------------------------------------------


def test_a_busy_server_is_left_alone_as_long_as_it_asks(rig: Rig) -> None:
    rig.hawkbit.assign("spk-1", TARGET)
    assert rig.client.wait_s == 300
    rig.hawkbit.busy = 1
    with pytest.raises(TransferError, match="busy"):
        rig.client.poll()
    rig.hawkbit.sleep = "00:00:30"
    rig.client.poll()
    assert rig.client.wait_s == 30
    rig.hawkbit.busy = 1
    with pytest.raises(TransferError):
        rig.client.report(Report("1", Phase.COMMITTED))
    assert rig.client.wait_s == 120
    rig.client.report(Report("1", Phase.COMMITTED))
    assert rig.hawkbit.actions[1].status is Status.FINISHED


def test_a_full_quota_is_a_busy_server_not_a_lost_report(rig: Rig) -> None:
    action = rig.hawkbit.assign("spk-1", TARGET)
    action.history = [{"status": {"execution": "x"}}] * MAX_STATUS_ENTRIES
    with pytest.raises(TransferError):
        rig.client.report(Report("1", Phase.COMMITTED))


@pytest.mark.parametrize(
    ("sleep", "wait"),
    [("00:00:01", 30), ("12:00:00", 43200), ("99:00:00", 86400), ("soon", 300), ("", 300)],
)
def test_the_poll_interval_is_the_servers_within_bounds(rig: Rig, sleep: str, wait: float) -> None:
    rig.hawkbit.sleep = sleep
    rig.client.poll()
    assert rig.client.wait_s == wait


def test_devices_do_not_poll_in_step() -> None:
    waits = [
        HawkbitDdi(SERVER, FACTS, DdiWeb(DdiDouble()), chance=lambda c=chance: c).wait_s  # type: ignore[misc]
        for chance in (0.0, 1.0)
    ]
    assert waits == pytest.approx([270, 330])


def test_a_wrong_token_is_a_refusal() -> None:
    rig = Rig()
    rig.hawkbit.target_tokens = {"spk-1": "other"}
    with pytest.raises(TransferError, match="401") as refused:
        rig.client.poll()
    assert refused.value.reason is Reason.REFUSED
    assert "secret" not in str(refused.value)
    assert "secret" not in repr(SERVER)


def test_a_gateway_token_speaks_for_every_device() -> None:
    rig = Rig(Server("https://hawkbit.example", "spk-1", token="g", token_kind="GatewayToken"))
    rig.hawkbit.gateway_token = "g"
    assert rig.client.poll() is None
    assert set(rig.web.tokens) == {"GatewayToken g"}


@pytest.mark.parametrize(
    "origin",
    [
        "https://elsewhere.example",
        "http://hawkbit.example",
        "https://hawkbit.example:444",
        "https://hawkbit.example@elsewhere.example",
        r"https://elsewhere.example\@hawkbit.example",
    ],
)
def test_a_link_to_another_host_is_not_followed_and_gets_no_token(rig: Rig, origin: str) -> None:
    rig.hawkbit.assign("spk-1", TARGET)
    rig.hawkbit.origin = origin
    with pytest.raises(TransferError, match="another host"):
        rig.client.poll()
    assert len(rig.web.asked) == 1


@pytest.mark.parametrize(
    "url", ["http://hawkbit.example", "ftp://x", "hawkbit.example", "", "https://"]
)
def test_a_token_is_not_sent_in_the_clear(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        Server(url, "spk-1")


def test_device_names_cannot_leave_their_path() -> None:
    assert Server("https://h", "../a b/%", tenant="T/").base == (
        "https://h/T%2F/controller/v1/..%2Fa%20b%2F%25"
    )


@pytest.mark.parametrize("action", ["waves-9", "1/../2", "", "١"])
def test_an_action_of_another_source_is_not_reported_here(rig: Rig, action: str) -> None:
    rig.client.report(Report(action, Phase.COMMITTED))
    assert rig.web.asked == []


class Mouth:
    """A server that says one thing."""

    def __init__(self, status: int, body: bytes) -> None:
        self.answer = Answer(status, {}, body)

    def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        return self.answer


BASE = "https://hawkbit.example/DEFAULT/controller/v1/spk-1"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"null", b"\xff", b"{" * 5000, b'{"_links": 3}',
        json.dumps({"_links": {"deploymentBase": {"href": BASE}}}).encode(),
        json.dumps({"_links": {"deploymentBase": {"href": 5}}}).encode(),
        json.dumps({"_links": {"cancelAction": {"href": "file:///etc/passwd"}}}).encode(),
        json.dumps({"_links": {"configData": {"href": "https://[::1"}}}).encode(),
    ],
)  # fmt: skip
def test_whatever_a_server_says_it_is_a_transfer_error(body: bytes) -> None:
    with pytest.raises(TransferError):
        HawkbitDdi(SERVER, FACTS, Mouth(200, body)).poll()


@pytest.mark.parametrize("status", [301, 302, 400, 403, 404, 500, 503])
def test_no_other_status_is_taken_for_an_answer(status: int) -> None:
    with pytest.raises(TransferError, match=str(status)):
        HawkbitDdi(SERVER, FACTS, Mouth(status, b"{}")).poll()


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["_links", "deploymentBase", "cancelAction", "href", "id", "deployment",
                             "chunks", "metadata", "key", "value", "update", "stopId", "config"]),
            inner, max_size=4,
        ),
    ),
    max_leaves=20,
)  # fmt: skip


@given(JSON, st.sampled_from([200, 304, 404]))
def test_no_document_makes_it_stumble(document: object, status: int) -> None:
    client = HawkbitDdi(SERVER, FACTS, Mouth(status, json.dumps(document).encode()))
    with contextlib.suppress(TransferError):
        assert client.poll() is None


@given(
    st.builds(
        Report,
        action=st.just("1"),
        phase=st.sampled_from(list(Phase)[1:]),
        reason=st.none() | st.sampled_from(list(Reason)),
        detail=st.text(max_size=2000),
        done=st.integers(0, 2**62),
        total=st.integers(0, 2**62),
        resumed=st.booleans(),
    )
)
def test_the_server_understands_every_report(report: Report) -> None:
    rig = Rig()
    action = rig.hawkbit.assign("spk-1", TARGET)
    rig.client.report(report)
    (entry,) = action.history
    assert all(len(line) <= 500 for line in entry["status"]["details"])
    assert action.active == (not report.phase.ended)


# --- over a real socket ------------------------------------------------------------------------


def test_it_works_over_a_real_socket_as_well() -> None:
    hawkbit = DdiDouble(target_tokens={"spk-1": "secret"})
    action = hawkbit.assign("spk-1", TARGET)
    with serving(hawkbit.handle) as origin:
        web = HttpWeb()
        client = HawkbitDdi(Server(origin, "spk-1", token="secret"), FACTS, web)
        found = client.poll()
        assert found == Assignment("1", TARGET)
        client.report(Report("1", Phase.COMMITTED))
        assert client.poll() is None
    assert action.status is Status.FINISHED
    with pytest.raises(TransferError, match="GET http:") as gone:
        client.poll()
    assert gone.value.reason is Reason.UNREACHABLE
