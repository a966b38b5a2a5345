"""One order and one name for each expression, however a data set spells it."""

import pytest

from fer_exp.data.emotions import EIGHT, EMOTIONS, canonical, misnamed


def test_contempt_is_the_eighth_and_moves_no_other_label() -> None:
    assert EIGHT[:7] == EMOTIONS
    assert EIGHT[7:] == ("contempt",)


@pytest.mark.parametrize(
    ("spelled", "name"),
    [
        ("Anger", "angry"),
        ("disgusted", "disgust"),
        ("FEARFUL", "fear"),
        ("happiness", "happy"),
        ("Sadness", "sad"),
        ("surprised", "surprise"),
        ("Contempt", "contempt"),
        ("neutral", "neutral"),
    ],
)
def test_spellings_of_an_expression_mean_the_same(spelled: str, name: str) -> None:
    assert canonical(spelled) == name
    assert name in EIGHT


def test_another_class_keeps_its_name() -> None:
    assert canonical("Bored") == "bored"
    assert "bored" not in EIGHT


@pytest.mark.parametrize(
    ("spelled", "name"),
    [("suprise", "surprise"), ("Neutrality", "neutral"), ("hapiness", "happy"), ("natural", "neutral")],
)
def test_usual_misspellings_are_known(spelled: str, name: str) -> None:
    assert canonical(spelled) == name


def test_a_class_that_is_nearly_a_missing_expression_is_misnamed() -> None:
    assert misnamed(["angry", "hapy", "sadness"]) == {"hapy": "happy"}
    assert misnamed(["Nuetral", "anger", "fear", "SUPRIZE", "sad"]) == {"Nuetral": "neutral", "SUPRIZE": "surprise"}
    assert misnamed(["angry", "fear", "happinezz"]) == {"happinezz": "happy"}  # by the other forms of the word too


@pytest.mark.parametrize(
    "names",
    [
        ["angry", "happy", "hapy", "sad"],  # none is missing
        ["angry", "bored", "sad"],  # nearly nothing
        ["hapy", "dog", "sad", "cat"],  # classes of another kind
        ["angry", "happy"],
    ],
)
def test_other_classes_are_not_taken_for_misnamed_ones(names: list[str]) -> None:
    assert misnamed(names) == {}
