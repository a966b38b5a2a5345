"""One order and one name for each expression, however a data set spells it."""

import pytest

from fer_exp.emotions import EIGHT, EMOTIONS, canonical


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
