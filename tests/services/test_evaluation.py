"""``linnet eval``: its arithmetic, its sets, and one utterance after the other."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import tempfile
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from device.errors import AudioError
from device.sound.synthesis import HELD_OUT_ESPEAK, Voice, held_out_voice
from model_export.training.text import lines
from services.cli import main
from services.commands.common import UsageError
from services.evaluate import report
from services.evaluate.directory_set import parse_row, read_directory
from services.evaluate.errors import SetError
from services.evaluate.figures import Rate, WordErrors, edit_distance, word_error_rate
from services.evaluate.held_out_set import WITH_VALUES, sentences
from services.evaluate.homes import evaluation_homes, read_home
from services.evaluate.noise import CONDITIONS, LEAD_S, TAIL_S, Noises
from services.evaluate.recogniser import _words
from services.evaluate.run import Job, Player, jobs
from services.evaluate.sets import EvaluationSet, Utterance
from services.evaluate.speech_cache import SpeechCache, cache_root
from services.evaluate.talk import OURS, other_talk
from services.evaluate.trial import Answer
from services.exit_codes import ExitCode
from services.language.calls import Call
from services.language.grammar import compile_grammar
from services.language.held_out import held_out, held_out_talk
from services.language.spoken import spoken
from tests.support.homes import fifteen_devices, two_lights
from tests.support.scripted_model import Script, ScriptedModel

HOME = fifteen_devices()
WORDS = st.lists(st.sampled_from(["turn", "on", "the", "light", "please"]), max_size=6)
ON = Call.of("HassTurnOn", name="bed light")
TIMER = Call.of("HassStartTimer", minutes=5)


# --- figures ---------------------------------------------------------------------------------


@given(st.integers(0, 2_000), st.integers(0, 2_000))
def test_wilson_holds_the_rate_and_stays_a_probability(a: int, b: int) -> None:
    rate = Rate(min(a, b), max(a, b))
    low, high = rate.ci95
    assert 0.0 <= low <= high <= 1.0
    if rate.n:
        assert low - 1e-4 <= rate.hits / rate.n <= high + 1e-4


def test_wilson_gives_the_published_values() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    assert Rate(81, 263).ci95 == (0.2553, 0.3662)
    assert Rate(15, 148).ci95 == (0.0624, 0.1605)
    assert Rate(0, 20).ci95 == (0.0, 0.1611)
    assert Rate(29, 29).ci95 == (0.8830, 1.0)


def test_a_rate_of_nothing_is_no_figure() -> None:
    assert Rate(0, 0).value is None
    with pytest.raises(ValueError, match="no rate"):
        Rate(3, 2)


@given(WORDS, WORDS, WORDS)
def test_edit_distance_is_a_distance(a: list[str], b: list[str], c: list[str]) -> None:
    assert (edit_distance(a, b) == 0) == (a == b)
    assert edit_distance(a, b) == edit_distance(b, a)
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)
    assert abs(len(a) - len(b)) <= edit_distance(a, b) <= max(len(a), len(b))


def test_word_errors_count_all_three_kinds_over_all_words() -> None:
    one = WordErrors.between("turn on the light", "turn the bright light")  # on deleted, one new
    two = WordErrors.between("okay", "")
    assert (one.errors, two.errors) == (2, 1)
    assert word_error_rate([one, two]) == pytest.approx(3 / 5)
    assert word_error_rate([]) is None


def test_recogniser_marks_are_no_words() -> None:
    assert _words("<s> the(2) light <sil> [NOISE] on </s>") == "the light on"


# --- what is held out ------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_training_text_never_holds_a_held_out_call_or_sentence(seed: int, tmp_path: Path) -> None:
    row = {"text": "what is the capital of sentence number %d", "intent": "oos"}
    talk = [json.dumps({**row, "text": row["text"] % n}) for n in range(200)]
    (tmp_path / "talk.jsonl").write_text("\n".join(talk))
    drawn = list(islice(lines(random.Random(seed), tmp_path, 0.3), 1_500))
    assert not any(line.call is not None and held_out(line.call) for line in drawn)
    assert not any(line.call is None and held_out_talk(line.text) for line in drawn)
    assert sum(held_out_talk(spoken(json.loads(row)["text"])) for row in talk) > 5


@given(st.sampled_from(WITH_VALUES), st.text("abc ", min_size=1, max_size=8))
def test_the_split_hangs_on_the_call_alone(name: str, value: str) -> None:
    assert held_out(Call.of(name, name=value)) == held_out(Call.of(name, name=value))
    assert not held_out(Call.of(name))
    assert not held_out(Call.of(name, domain=value))


def test_about_one_call_in_eight_is_held_out() -> None:
    share = sum(held_out(Call.of("HassTurnOn", name=f"lamp {n}")) for n in range(4_000)) / 4_000
    assert 0.10 < share < 0.15


def test_held_out_voices_are_the_promised_ones() -> None:
    rng = random.Random(0)
    voices = [held_out_voice(rng) for _ in range(600)]
    variants = {v.name.partition("+")[2] for v in voices if v.engine == "espeak"}
    assert variants == set(HELD_OUT_ESPEAK)
    assert len(variants) >= 8
    people = {v.name for v in voices if v.engine != "espeak"}
    assert people == {"rms", "cmu_us_slt_arctic_hts"}


def test_every_sentence_of_the_set_means_its_held_out_call_and_comes_once() -> None:
    homes = (HOME, two_lights())
    drawn = list(sentences(homes, 60))
    assert drawn == list(sentences(homes, 60))  # a quick look is the beginning of the whole
    assert drawn[:20] == list(sentences(homes, 20))
    assert len({(home, text) for home, text, _ in drawn}) == 60
    for home, text, call in drawn:
        assert held_out(call)
        assert compile_grammar(homes[home]).interpret(text) == call


def test_our_talk_is_no_command_in_any_evaluation_home() -> None:
    assert len(set(OURS)) == len(OURS) >= 60
    assert all(text == spoken(text) for text in OURS)
    for home in evaluation_homes():
        assert [t for t in OURS if compile_grammar(home).interpret(t)] == []


def test_talk_without_public_text_repeats_ours(tmp_path: Path) -> None:
    chosen = other_talk(tmp_path / "nothing", 150, random.Random(0))
    assert len(chosen) == 150
    assert set(chosen) == set(OURS)


def test_talk_takes_only_what_training_leaves_out(tmp_path: Path) -> None:
    rows = [{"text": f"how do I get to place number {n}", "intent": "oos"} for n in range(100)]
    rows.append({"text": "when is my next alarm going to ring", "intent": "alarm"})
    (tmp_path / "clinc_train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    chosen = set(other_talk(tmp_path, 150, random.Random(0))) - set(OURS)
    assert chosen == {t for row in rows[:-1] if held_out_talk(t := spoken(row["text"]))}
    (tmp_path / "clinc_train.jsonl").write_text('{"text": 3, "intent": "oos"}')
    with pytest.raises(SetError, match=r"clinc_train\.jsonl:1"):
        other_talk(tmp_path, 150, random.Random(0))


# --- manifests and homes ---------------------------------------------------------------------


@given(st.text(max_size=200))
def test_any_line_is_a_row_or_one_clear_refusal(line: str) -> None:
    try:
        row = parse_row(line)
    except ValueError:
        return
    assert row.path


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
FIELDS = st.sampled_from(["path", "text", "label", "lang", "intent"])


@given(st.dictionaries(FIELDS, JSON))
def test_any_object_is_a_row_or_one_clear_refusal(entry: dict[str, object]) -> None:
    try:
        row = parse_row(json.dumps(entry))
    except ValueError:
        return
    assert isinstance(row.path, str)
    assert isinstance(row.text, str | None)


def clip(path: Path, seconds: float = 0.3) -> None:
    tone = 0.3 * np.sin(np.arange(int(seconds * 16_000)) / 5)
    soundfile.write(path, tone.astype(np.float32), 16_000)


def manifest(folder: Path, *rows: object) -> Path:
    for row in rows:
        if isinstance(row, dict) and "path" in row:
            clip(folder / str(row["path"]))
    text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    (folder / "manifest.jsonl").write_text(text + "\n")
    return folder


def test_recordings_are_sorted_by_what_should_come_of_them(tmp_path: Path) -> None:
    manifest(
        tmp_path,
        {"path": "a.wav", "text": "turn on the Bed Light"},
        {"path": "b.wav", "text": "set a timer for 5 minutes", "lang": "en"},
        {"path": "c.wav", "text": "pause"},
        {"path": "d.wav", "text": ""},
        {"path": "e.wav", "text": None, "intent": "orderDrink"},
        {"path": "f.wav", "text": "turn on the bed light", "label": "out_of_domain"},
        {"path": "g.wav", "text": "allume la lumière", "lang": "fr"},
    )
    found = read_directory(tmp_path, HOME)
    assert [(u.kind, u.call) for u in found.utterances] == [
        ("command", ON), ("command", TIMER), ("elsewhere", None),
        ("other", None), ("other", None), ("other", None),
    ]  # fmt: skip
    assert found.skipped == {"language fr": 1}
    assert len(read_directory(tmp_path, HOME, limit=2).utterances) == 2


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (["{"], "manifest.jsonl:1: is not JSON"),
        ([{"path": "a.wav"}, "[]"], "manifest.jsonl:2: is not a JSON object"),
        ([{"text": "hello"}], "manifest.jsonl:1: has no path"),
        ([{"path": "a.wav", "text": 3}], "manifest.jsonl:1: its text is not a text"),
        (['{"path": "gone.wav", "text": "hello"}'], "manifest.jsonl:1: gone.wav is not there"),
    ],
)
def test_a_broken_manifest_is_told_by_file_and_line(
    tmp_path: Path, rows: list[object], says: str
) -> None:
    manifest(tmp_path, *rows)
    with pytest.raises(SetError) as caught:
        read_directory(tmp_path, HOME)
    assert says in str(caught.value)


def test_the_command_says_what_is_wrong_and_ends_with_its_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", "--set", str(tmp_path / "nowhere")]) == ExitCode.USAGE
    assert main(["eval", "--set", str(tmp_path)]) == ExitCode.AUDIO
    manifest(tmp_path, {"path": "a.wav", "lang": "fr", "text": "bonjour"})
    assert main(["eval", "--set", str(tmp_path)]) == ExitCode.USAGE
    home = tmp_path / "home.json"
    home.write_text('[{"name": "lamp", "domain": "toaster"}]')
    assert main(["eval", "--set", str(tmp_path), "--home", str(home)]) == ExitCode.USAGE
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[0] for line in said] == ["linnet eval"] * 4
    assert "manifest.jsonl" in said[1]
    assert "'toaster' is none of" in said[3]


def test_a_home_is_read_in_spoken_form(tmp_path: Path) -> None:
    path = tmp_path / "home.json"
    rows = [
        {"name": "Desk Lamp 2", "domain": "light", "area": "Office", "features": ["brightness"]},
        {"name": "Fan", "domain": "switch"},
    ]
    path.write_text(json.dumps(rows))
    home = read_home(path)
    assert [e.name for e in home.entities] == ["desk lamp two", "fan"]
    assert home.areas == ("office",)
    meant = compile_grammar(home).interpret("set the desk lamp two to forty percent")
    assert meant == Call.of("HassLightSet", name="desk lamp two", brightness=40)


@given(JSON)
def test_any_json_is_a_home_or_one_clear_refusal(body: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "home.json"
        path.write_text(json.dumps(body))
        try:
            home = read_home(path)
        except UsageError:
            return
    assert home.entities


# --- noise and cache -------------------------------------------------------------------------


@pytest.mark.parametrize("snr_db", [10.0, 5.0])
def test_noise_has_the_level_that_is_asked_for(snr_db: float) -> None:
    speech = (0.1 * np.random.default_rng(1).standard_normal(16_000)).astype(np.float32)
    clean = Noises().heard(speech, None, 3)
    noise = Noises().heard(speech, snr_db, 3) - clean
    loud = float(np.sort(speech**2)[len(speech) // 2 :].mean())
    assert 10 * math.log10(loud / float((noise**2).mean())) == pytest.approx(snr_db, abs=0.1)
    assert len(noise) == len(speech) + round((LEAD_S + TAIL_S) * 16_000)


def test_noise_follows_from_the_number_alone() -> None:
    speech = np.full(8_000, 0.1, np.float32)
    first, again, other = (Noises().heard(speech, 10.0, n) for n in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_silent_recording_is_no_noise() -> None:
    speech = np.full(8_000, 0.1, np.float32)
    heard = Noises((np.zeros(16_000, np.float32),)).heard(speech, 10.0, 1)
    assert float(np.abs(heard[:1_000]).max()) > 0


@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
def test_speech_is_made_once(tmp_path: Path) -> None:
    cache = SpeechCache(tmp_path / "speech")
    wanted = [(Voice("flite", "rms"), text) for text in ("hello", "good morning", "hello")]
    told: list[tuple[int, int]] = []
    assert cache.fill(wanted, lambda done, of: told.append((done, of))) == 2
    assert told[-1] == (2, 2)
    assert cache.fill(wanted) == 0
    pcm, rate = soundfile.read(cache.path(*wanted[0]))
    assert rate == 16_000
    assert len(pcm) > 3_000
    assert cache.path(*wanted[0]) != cache.path(Voice("flite", "rms", rate=0.9), "hello")
    assert not list(cache.folder.glob("*.part"))


def test_the_cache_lies_where_the_standard_says() -> None:
    named = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(named) if os.path.isabs(named) else Path.home() / ".cache"
    assert cache_root() == base / "linnet"


# --- a run -----------------------------------------------------------------------------------


class Echo:
    """A recogniser that understands everything as the same words."""

    def hear(self, pcm: np.ndarray) -> str:
        assert len(pcm)
        return "done"


def played(tmp_path: Path, script: Script, reply: bool = False) -> Answer:
    clip(tmp_path / "a.wav")
    said = Utterance(0, tmp_path / "a.wav", "command", 0, "turn on the bed light", ON)
    model = ScriptedModel(script)
    player = Player(model, (HOME,), Noises(), Echo())
    answer = player.play(Job(said, "clean", reply))
    heard = len(model.sessions[0].heard_pcm)
    assert heard == round((0.3 + LEAD_S + TAIL_S) * 16_000)
    assert model.sessions[0].cancelled.is_set() != reply
    return answer


def test_a_call_counts_only_when_name_and_arguments_are_right(tmp_path: Path) -> None:
    assert played(tmp_path, Script(call=ON)).exact
    assert not played(tmp_path, Script(call=Call.of("HassTurnOn", name="desk lamp"))).exact
    assert not played(tmp_path, Script(call=Call.of("HassTurnOff", name="bed light"))).exact
    nothing = played(tmp_path, Script(call=None))
    assert not nothing.exact
    assert not nothing.moves


def test_a_reply_is_made_of_what_was_said_and_heard(tmp_path: Path) -> None:
    answer = played(tmp_path, Script(call=ON, reply="all done"), reply=True)
    assert answer.reply is not None
    assert (answer.reply.text, answer.reply.heard) == ("all done", "done")
    apology = played(tmp_path, Script(call=None, reply="sorry"), reply=True)
    assert apology.reply is not None
    assert apology.reply.text == "sorry"


def test_an_unreadable_recording_is_told_by_name(tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(b"RIFFnothing")
    said = Utterance(0, tmp_path / "bad.wav", "other")
    player = Player(ScriptedModel(), (HOME,), Noises(), None)
    with pytest.raises(AudioError, match=r"bad\.wav"):
        player.play(Job(said, "clean", False))


def test_commands_are_played_in_every_condition_and_talk_once(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    chosen = EvaluationSet(
        "x", (HOME,), [Utterance(0, path, "command", call=ON), Utterance(1, path, "other")]
    )
    plan = [(job.utterance.number, job.condition, job.reply) for job in jobs(chosen, True)]
    assert plan == [
        (0, "clean", True), (0, "snr10", False), (0, "snr5", False), (1, "clean", False),
    ]  # fmt: skip


def answer(kind: str, condition: str, meant: Call | None, called: Call | None) -> Answer:
    said = Utterance(0, Path("a.wav"), kind, 0, "words", meant, "flite")  # type: ignore[arg-type]
    return Answer(said, condition, "words", called)


def test_the_report_has_the_promised_keys_and_counts() -> None:
    off = Call.of("HassTurnOff", name="bed light")
    answers = [answer("command", c, ON, ON) for c in CONDITIONS]
    answers += [answer("command", "clean", ON, off), answer("command", "snr10", ON, None)]
    answers += [answer("command", "snr5", ON, off)]
    answers += [answer("other", "clean", None, call) for call in (ON, TIMER, None, None)]
    table = report.understanding(answers) | report.details(answers)
    table |= report.intelligibility(report.Intelligibility([WordErrors(1, 4)], [WordErrors(0, 4)]))
    assert {k: table["call_accuracy"][k] for k in CONDITIONS} == dict.fromkeys(CONDITIONS, 0.5)
    assert table["call_accuracy"]["n"] == 2
    assert table["call_accuracy"]["ci95"]["clean"] == Rate(1, 2).ci95
    assert table["ood_false_calls"] == 0.25  # a timer moves no device
    assert table["ood"]["any_call"] == 0.5
    assert (table["reply_wer"], table["source_wer"]) == (0.25, 0.0)
    assert table["by_function"]["HassTurnOn"]["n"] == 2
    json.dumps(table)
    described = report.described(EvaluationSet("x", (HOME,), []), "cascade", "coloured")
    assert any("50.0%" in line for line in report.lines(described | table))


def test_a_report_of_nothing_can_still_be_read() -> None:
    table = report.understanding([]) | report.details([])
    table |= report.intelligibility(report.Intelligibility())
    table |= report.described(EvaluationSet("x", (HOME,), []), "cascade", "coloured")
    assert table["call_accuracy"]["clean"] is None
    assert list(report.lines(table))


@pytest.mark.slow
@pytest.mark.skipif(
    find_spec("pocketsphinx") is None or not shutil.which("flite") or not shutil.which("espeak-ng"),
    reason="the cascade wants pocketsphinx and espeak-ng, the recordings flite",
)
@pytest.mark.parametrize("processes", ["1", "2"])
def test_the_command_measures_recordings_with_the_cascade(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], processes: str
) -> None:
    cache = SpeechCache(tmp_path)
    said = ["turn on the bed light", "do you know a good restaurant nearby"]
    voice = Voice("flite", "rms")
    cache.fill([(voice, text) for text in said])
    names = [cache.path(voice, text).name for text in said]
    rows = [{"path": names[0], "text": said[0]}, {"path": names[1], "text": None}]
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    details = tmp_path / "details.jsonl"
    command = ["eval", "--set", str(tmp_path), "--family", "cascade", "--json", "--shared"]
    command += [str(tmp_path / "nothing"), "--jobs", processes, "--details", str(details)]
    assert main(command) == ExitCode.OK
    printed = capsys.readouterr()
    table = json.loads(printed.out)
    assert table["call_accuracy"]["n"] == 1
    assert table["call_accuracy"]["clean"] == 1.0
    assert set(CONDITIONS) == set(table["call_accuracy"]["ci95"])
    assert table["ood"]["n"] == 1
    assert table["replies"]["n"] == 1
    assert table["replies"]["source_voice"] == "espeak-ng"
    assert {"ood_false_calls", "reply_wer", "source_wer"} <= table.keys()
    assert table["noise"] == "coloured"
    assert "4/4" in printed.err
    kept = [json.loads(line) for line in details.read_text().splitlines()]
    assert [row["condition"] for row in kept] == ["clean", "snr10", "snr5", "clean"]
    assert kept[0]["called"] == kept[0]["meant"] == ON.json()


def test_only_the_family_of_two_recognisers_has_each_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["eval", "--set", str(tmp_path), "--family", "cascade", "--alone"]
    assert main(command) == ExitCode.USAGE
    assert "--alone" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_told_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["eval", "--set", str(tmp_path), "--details", str(tmp_path / "no" / "file")]
    assert main(command) == ExitCode.USAGE
    assert "cannot be written" in capsys.readouterr().err
