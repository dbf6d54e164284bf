"""What the settings of updates do to the updater that is made from them."""

from __future__ import annotations

import hashlib
import re
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from ota.errors import Reason
from ota.layout import content_path
from ota.machine import Stage
from services.ota_agent.agent import Wish
from services.ota_agent.wiring import open_agent
from services.settings import Settings
from services.settings_file import SettingsError
from tests.support.http_server import Answer, serving
from tests.support.opened_box import OpenedBox, Published

LARGE = 800_000


def gives(path: Path, *, at_most: int | None = None) -> Answer:
    """The file, or its beginning and then a cut; ranges of it are refused."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        data = path.read_bytes()
        if "Range" in handler.headers:
            handler.send_error(416)
            return
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[:at_most])
        handler.close_connection = True

    return answer


def once(answer: Answer) -> Answer:
    """Then it is nowhere to be found."""
    left = [answer]

    def answers(handler: BaseHTTPRequestHandler) -> None:
        if left:
            left.pop()(handler)
        else:
            handler.send_error(404)

    return answers


def site(published: Published) -> dict[str, Answer]:
    public = published.shelf.public
    return {
        f"/{path.relative_to(public)}": gives(path) for path in public.rglob("*") if path.is_file()
    }


def test_a_budget_counts_over_tries_and_restarts_until_somebody_asks_anew(tmp_path: Path) -> None:
    published = Published(tmp_path, LARGE)
    answers = site(published)
    last = "/" + content_path(published.release.contents[-1].sha256)
    whole = answers[last]
    answers[last] = once(gives(published.shelf.public / last[1:], at_most=700_000))
    with serving(answers) as address:
        box = OpenedBox(tmp_path, published, repository=address, budget_mb=2)
        first = box.until_it_ends()
        assert (first.stage, first.reason) == (Stage.FAILED, Reason.REFUSED)

        answers[last] = whole
        second = box.until_it_ends()
        assert (second.stage, second.reason) == (Stage.FAILED, Reason.BYTE_BUDGET)
        spent = int(re.findall(r"needs (\d+) of", second.detail)[0])
        assert spent > 1_500_000 + LARGE, "what the first try cost counts"

        assert box.until_it_ends(Wish("install")).stage is Stage.COMMITTED


@pytest.mark.parametrize("allowed", [True, False])
def test_on_a_metered_line_no_whole_file_follows_a_delta_that_fails(
    tmp_path: Path, allowed: bool
) -> None:
    here = hashlib.sha256(b"voice factory").hexdigest()
    published = Published(tmp_path, 100, delta_of=here)
    with serving(site(published)) as address:
        box = OpenedBox(tmp_path, published, repository=address, whole_files_after_delta=allowed)
        end = box.until_it_ends()
    assert end.stage is (Stage.COMMITTED if allowed else Stage.FAILED)
    assert end.reason is (None if allowed else Reason.REFUSED)


def test_beside_a_bundle_that_the_settings_name_no_update_would_last(tmp_path: Path) -> None:
    settings = Settings.model_validate({
        "model": {"bundle": tmp_path / "mine", "generations": tmp_path / "models"},
        "ota": {"repository": "https://updates.example/fleet", "directory": tmp_path / "ota"},
    })  # fmt: skip
    with (
        pytest.raises(SettingsError, match=r"model\.bundle = .*mine: .*bundle install"),
        open_agent(settings),
    ):
        pass
    assert not (tmp_path / "ota").exists()
