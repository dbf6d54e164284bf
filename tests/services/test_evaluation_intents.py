"""``linnet eval --set intents-*``: sentences known by construction, judged by what they do."""

from __future__ import annotations

import json
from itertools import islice

import pytest

from services.cli import main
from services.evaluate.errors import SetError
from services.evaluate.intents_home import Home, Language, announcements, merged_home
from services.evaluate.intents_negatives import _negative, judge, negatives, table
from services.evaluate.intents_run import SETS, lines, measure
from services.evaluate.intents_run import judge as judge_reading
from services.evaluate.intents_sample import Sentence, sentences
from services.evaluate.intents_truth import effect
from services.exit_codes import ExitCode
from services.home.discovery import parse
from services.language.calls import Call
from services.language.fast_path import FastPath, Heard
from services.language.functions import FUNCTIONS, checked

LANGUAGES: tuple[Language, ...] = ("en", "zh-CN")


@pytest.fixture(scope="module", params=LANGUAGES)
def home(request: pytest.FixtureRequest) -> Home:
    return merged_home(request.param)


def test_the_home_is_announced_by_messages_that_discovery_takes(home: Home) -> None:
    made = [parse(topic, payload) for topic, payload in announcements(home.language)]
    assert len(made) >= 50
    assert not [problem for one in made for problem in one.problems]
    assert (len(home.view.areas), len(home.view.floors)) == (10, 3)
    assert home.here in home.view.areas


def test_the_same_seed_says_the_same_sentences_and_none_twice(home: Home) -> None:
    first, again = (list(sentences(home, 80)) for _ in range(2))
    assert first == again
    assert len({s.text for s in first}) == 80
    assert first != list(sentences(home, 80, seed=1))


def test_what_a_sentence_means_is_a_call_of_the_table_on_devices_of_the_home(home: Home) -> None:
    for sentence in sentences(home, 150):
        assert checked(sentence.call) == sentence.call
        function = FUNCTIONS[sentence.call.name]
        assert bool(sentence.targets) == bool(function.domains)
        for target in sentence.targets:
            assert target.domain in function.domains
            if "name" in sentence.call.args:
                assert any(n in sentence.text for n in (target.name, *target.aliases))


def test_a_recogniser_that_does_not_speak_the_language_is_wrong(home: Home) -> None:
    other = FastPath("en" if home.language == "zh-CN" else "zh-CN")
    judged = [
        judge_reading(s, other.understand(s.text, home.view), home)
        for s in islice(sentences(home, 300), 30)
    ]
    assert judged.count("wrong") >= 29


def english() -> Home:
    return merged_home("en")


def reading(said: Call, *heard: Call, tied: int = 1) -> str:
    home = english()
    targets = [e for e in home.entities if e.name == said.args.get("name")]
    if "area" in said.args:
        targets = [e for e in home.entities if e.area == said.args["area"] and e.domain == "light"]
    sentence = Sentence("…", said, tuple(targets))
    return judge_reading(sentence, Heard(heard, tied=tied), home)


LAMP = Call.of("HassTurnOn", name="desk lamp")
ROOM = Call.of("HassTurnOn", area="kitchen", domain="light")
NAMED = Call.of("HassTurnOn", name="kitchen lights")


def test_a_reading_is_judged_by_its_effect() -> None:
    assert reading(LAMP, Call.of("HassTurnOn", name="desk lamp", area="office")) == "right"
    assert reading(LAMP, Call.of("HassTurnOff", name="desk lamp")) == "wrong"
    assert reading(LAMP, Call.of("HassTurnOn", name="bed light")) == "wrong"
    assert reading(LAMP, Call.of("HassTurnOn", name="no such lamp")) == "wrong"
    assert reading(LAMP) == "wrong"


def test_two_meanings_are_a_place_read_in_two_ways_or_an_even_tie() -> None:
    assert reading(ROOM, NAMED, ROOM) == "two_meanings"
    assert reading(ROOM, NAMED) == "wrong"
    pause, cancel = Call.of("HassPauseTimer"), Call.of("HassCancelTimer")
    assert reading(pause, cancel, pause, tied=2) == "two_meanings"
    assert reading(pause, cancel, pause, tied=1) == "wrong"


def test_the_same_wish_for_different_devices_is_a_different_effect() -> None:
    home = english()
    lamp, light = (next(e for e in home.entities if e.name == n) for n in ("desk lamp", "pendant"))
    assert effect(LAMP, [lamp]) != effect(LAMP, [light])
    assert effect(LAMP, [lamp]) == effect(ROOM, [lamp])


@pytest.mark.parametrize(("language", "at_least"), [("en", 200), ("zh-CN", 60)])
def test_what_must_be_refused_is_refused_and_nothing_moves(
    language: Language, at_least: int
) -> None:
    home = merged_home(language)
    path = FastPath(language)
    verdicts = [judge(n, home, path) for n in negatives(language)]
    told = table(verdicts)
    assert told["n"] == len(verdicts) >= at_least
    assert told["unsafe"] == 0
    assert sum(v.right for v in verdicts) >= 0.97 * len(verdicts), told["wrong"]


@pytest.mark.parametrize(("language", "at_least"), [("en", 360), ("zh-CN", 60)])
def test_what_was_not_developed_against_moves_nothing_either(
    language: Language, at_least: int
) -> None:
    home, path = merged_home(language), FastPath(language)
    held_out = negatives(language, "held_out")
    assert not {n.text for n in held_out} & {n.text for n in negatives(language)}
    told = table([judge(n, home, path) for n in held_out])
    assert told["n"] == len(held_out) >= at_least
    assert told["unsafe"] == 0


def test_a_malformed_negative_is_told_by_its_line() -> None:
    with pytest.raises(SetError, match="x:3"):
        _negative("x:3", '{"text": "hello"}')


@pytest.mark.parametrize("name", SETS)
def test_the_command_prints_one_object(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "--set", name, "--limit", "40", "--json"]) == ExitCode.OK
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert told["n"] == 40
    assert told["effect_accuracy"] >= 0.9
    assert len(told["ci95"]) == 2
    assert told["negatives"]["unsafe"] == 0
    assert {"n", "right", "unsafe"} <= told["negatives"].keys()
    assert isinstance(told["misses"], list)
    assert "40/40" in printed.err


def test_people_get_lines(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[int] = []
    printed = "\n".join(lines(measure("intents-en", 5, lambda done, of, note: said.append(done))))
    assert "effect as said" in printed
    assert said == [1, 2, 3, 4, 5]
