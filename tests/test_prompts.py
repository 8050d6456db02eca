"""The prompt banks: what they must hold, how they are handed out and keyed, and how a broken file is reported."""

import csv
import shutil

import numpy as np
import pytest

from mvlm import prompts
from mvlm.cache import keys
from mvlm.faces.corpora.items import FIVE, NEUTRAL, THREE
from mvlm.settings import ROOT

# Actions are named as in this list, so that a text tower taught on captions of actions knows every phrase.
PHRASES = (
    "inner brows raised,outer brows raised,brows raised,brows lowered,brows drawn together,wide open eyes,"
    "cheeks raised,eyelids tightened,eyes closed,nose wrinkled,upper lip raised,lip corners pulled up,smiling,"
    "dimpled cheeks,lip corners pulled down,lower lip pulled down,chin raised,lips puckered,lips stretched,"
    "lips tightened,lips pressed together,lips parted,jaw dropped,mouth wide open"
).split(",")

WORDED, ACTED = 9, 5  # prompts of an emotion in everyday words, and by actions, at least


def is_action(prompt):
    return prompt.startswith(("a face with ", "a face smiling with "))


def test_every_emotion_has_prompts_of_both_kinds():
    bank = prompts.bank()
    assert tuple(bank) == (*prompts.EMOTIONS, NEUTRAL)
    rest = bank.pop(NEUTRAL)
    assert len(rest) >= WORDED + ACTED and not any(map(is_action, rest))
    for emotion, own in bank.items():
        actions = sum(map(is_action, own))
        assert actions >= ACTED and len(own) - actions >= WORDED, emotion


def test_the_prompts_of_the_paper_are_there():
    assert {"a smiling face", "a happy individual", "a person smiling"} <= set(prompts.bank()["happiness"])


@pytest.mark.parametrize("name", prompts.BANKS)
def test_no_prompt_stands_for_two_emotions(name):
    every = [prompt for own in prompts.bank(name).values() for prompt in own]
    assert len(every) == len(set(every))


@pytest.mark.parametrize(
    ("name", "classes", "each"),
    [
        (prompts.DESCRIBED, (*prompts.EMOTIONS[:6], NEUTRAL), 1),
        (prompts.NAMED, (*prompts.EMOTIONS[:6], NEUTRAL), 10),
        (prompts.MICRO, FIVE, 10),
    ],
)
def test_a_bank_has_its_own_classes_and_says_which_it_lacks(name, classes, each):
    assert sorted(prompts.bank(name)) == sorted(classes)
    _, of = prompts.prompts_for(classes, name)
    np.testing.assert_array_equal(of, np.repeat(np.arange(len(classes)), each))
    said = f"'{name}' has no prompts for 'pain', only for .*{list(prompts.bank(name))[-1]}"
    with pytest.raises(ValueError, match=said):
        prompts.prompts_for(["surprise", "pain"], name)


def test_categories_and_rest_can_be_asked_for():
    assert FIVE[:3] == THREE == ("positive", "negative", "surprise")
    five, three = (prompts.prompts_for(classes, prompts.MICRO)[0] for classes in (FIVE, THREE))
    assert three == five[: len(three)] and "a face at rest" in prompts.prompts_for((NEUTRAL,))[0]
    with pytest.raises(ValueError, match="'own' has no prompts for 'positive'"):
        prompts.prompts_for(THREE)


def test_an_unknown_bank_names_the_nearest():
    with pytest.raises(ValueError, match="'describe'.*'described'"):
        prompts.prompts_for(["anger"], "describe")


def test_named_prompts_name_their_class():
    for emotion, own in prompts.bank(prompts.NAMED).items():
        assert own[0] == emotion and sum(emotion in prompt for prompt in own) >= 9


@pytest.mark.parametrize("edited", prompts.BANKS)
def test_a_bank_is_keyed_alone(tmp_path, monkeypatch, edited):
    """Texts, and the code that asks for them, depend on the bank that it names, and on the one that is usual."""
    shutil.copytree(ROOT / "mvlm", tmp_path / "mvlm", ignore=shutil.ignore_patterns("*.npz", "__pycache__", "weights"))
    monkeypatch.setattr(prompts, "FOLDER", tmp_path / "mvlm/prompts")

    def addresses():
        prompts._shipped.cache_clear()
        code = "from mvlm.prompts import {bank}, prompts_for\nprompts_for([], {bank})"
        keyed = {name: keys.code_key([code.format(bank=name.upper())], tmp_path) for name in prompts.BANKS}
        return keyed | {f"texts of {name}": prompts.prompts_for(["surprise"], name)[0] for name in prompts.BANKS}

    before = addresses()
    with (tmp_path / f"mvlm/prompts/{edited}.csv").open("a") as file:
        file.write("surprise,a face that starts\n")
    after = addresses()
    prompts._shipped.cache_clear()
    of_code = set(prompts.BANKS) if edited == prompts.OWN else {edited}
    assert {name for name in before if before[name] != after[name]} == of_code | {f"texts of {edited}"}


def test_actions_are_named_by_the_known_phrases():
    for own in prompts.bank().values():
        for prompt in filter(is_action, own):
            said = prompt.removeprefix("a face ").removeprefix("with ").replace("smiling with ", "smiling and ")
            assert all(phrase in PHRASES for phrase in said.split(" and ")), prompt


def test_words_are_simple():
    words = prompts.vocabulary()
    assert words == sorted(set(words))
    assert all(word.isascii() and word.isalpha() and word.islower() for word in words)
    assert len(words) < 130


def test_prompts_for_indexes_the_emotions_asked_for():
    texts, classes = prompts.prompts_for(["pain", "anger"])
    bank = prompts.bank()
    assert texts == bank["pain"] + bank["anger"] == prompts.prompts_for(["pain", "anger"], prompts.OWN)[0]
    np.testing.assert_array_equal(classes, [0] * len(bank["pain"]) + [1] * len(bank["anger"]))


def test_an_unknown_emotion_names_the_nearest():
    with pytest.raises(ValueError, match="'hapiness'.*'happiness'"):
        prompts.prompts_for(["anger", "hapiness"])


def test_the_bank_given_out_is_a_copy():
    prompts.bank()["anger"].clear()
    assert prompts.bank()["anger"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: [["emotion", "text"], *rows[1:]], "line 1: expected the columns emotion,prompt"),
        (lambda rows: [*rows, ["angr", "an angry head"]], "line {last}: unknown emotion 'angr'.*'anger'"),
        (lambda rows: [*rows, ["anger", " "]], "line {last}: expected one prompt"),
        (lambda rows: [*rows, ["anger"]], "line {last}: expected one prompt"),
        (lambda rows: [*rows, ["anger", "an angry", "mad head"]], "line {last}: expected one prompt"),
        (lambda rows: [*rows, ["pain", rows[1][1].replace(" ", "  ")]], "line {last}: the prompt '{first}' .* line 2"),
        (lambda rows: rows[:1], "expected prompts below the columns, found none"),
    ],
)
def test_a_broken_file_is_named_with_the_line(tmp_path, change, message):
    with (prompts.FOLDER / "own.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    path = tmp_path / "bank.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(change(rows))
    expected = message.format(last=len(rows) + 1, first=rows[1][1])
    with pytest.raises(ValueError, match=expected) as error:
        prompts.read_bank(path)
    assert str(path) in str(error.value)
