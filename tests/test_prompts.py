"""The prompt bank: what it must hold, how it is handed out, and how a broken file is reported."""

import csv

import numpy as np
import pytest

from mvlm import prompts

# Actions are named as in this list, so that a text tower taught on captions of actions knows every phrase.
PHRASES = (
    "inner brows raised,outer brows raised,brows raised,brows lowered,brows drawn together,wide open eyes,"
    "cheeks raised,eyelids tightened,eyes closed,nose wrinkled,upper lip raised,lip corners pulled up,smiling,"
    "dimpled cheeks,lip corners pulled down,lower lip pulled down,chin raised,lips puckered,lips stretched,"
    "lips tightened,lips pressed together,lips parted,jaw dropped,mouth wide open"
).split(",")


def is_action(prompt):
    return prompt.startswith(("a face with ", "a face smiling with "))


def test_every_emotion_has_prompts_of_both_kinds():
    bank = prompts.bank()
    assert tuple(bank) == prompts.EMOTIONS
    for own in bank.values():
        actions = sum(map(is_action, own))
        assert len(own) >= 12
        assert 1 / 4 < actions / len(own) < 1 / 2


def test_the_prompts_of_the_paper_are_there():
    assert {"a smiling face", "a happy individual", "a person smiling"} <= set(prompts.bank()["happiness"])


def test_no_prompt_stands_for_two_emotions():
    every = [prompt for own in prompts.bank().values() for prompt in own]
    assert len(every) == len(set(every))


def test_actions_are_named_by_the_known_phrases():
    for own in prompts.bank().values():
        for prompt in filter(is_action, own):
            said = prompt.removeprefix("a face ").removeprefix("with ").replace("smiling with ", "smiling and ")
            assert all(phrase in PHRASES for phrase in said.split(" and ")), prompt


def test_words_are_simple():
    words = prompts.vocabulary()
    assert words == sorted(set(words))
    assert all(word.isascii() and word.isalpha() and word.islower() for word in words)
    assert len(words) < 100


def test_prompts_for_indexes_the_emotions_asked_for():
    texts, classes = prompts.prompts_for(["pain", "anger"])
    bank = prompts.bank()
    assert texts == bank["pain"] + bank["anger"]
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
        (lambda rows: [*rows, ["angr", "an angry head"]], "line 114: unknown emotion 'angr'.*'anger'"),
        (lambda rows: [*rows, ["anger", " "]], "line 114: expected one prompt"),
        (lambda rows: [*rows, ["anger"]], "line 114: expected one prompt"),
        (lambda rows: [*rows, ["anger", "an angry", "mad head"]], "line 114: expected one prompt"),
        (lambda rows: [*rows, ["pain", "an  angry face"]], "line 114: the prompt 'an angry face' .* line 2"),
        (lambda rows: [row for row in rows if row[0] != "fear"], "no prompt for fear"),
    ],
)
def test_a_broken_file_is_named_with_the_line(tmp_path, change, message):
    with prompts.FILE.open(newline="") as file:
        rows = list(csv.reader(file))
    path = tmp_path / "bank.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(change(rows))
    with pytest.raises(ValueError, match=message) as error:
        prompts.read_bank(path)
    assert str(path) in str(error.value)
