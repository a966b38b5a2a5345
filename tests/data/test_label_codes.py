"""Numbers of classes: whose they may be, and what they mean."""

import pytest

from fer_exp.data import label_codes
from fer_exp.data.emotions import EIGHT


def test_every_numbering_names_expressions_as_the_others_do_and_none_twice() -> None:
    for meanings in label_codes.NUMBERINGS.values():
        expressions = [name for name in meanings.values() if name in EIGHT]
        assert len(expressions) == len(set(expressions)) >= 7
        assert sorted(meanings) == list(range(min(meanings), min(meanings) + len(meanings)))


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("07", 7), ("10", 10), ("", None), ("-1", None), ("1.0", None), ("\u00b2", None), ("a", None)],
)
def test_a_folder_is_a_number_if_it_is_written_in_digits(text: str, number: int | None) -> None:
    assert label_codes.number(text) == number


def test_the_numberings_that_know_all_folders_are_told() -> None:
    assert label_codes.fitting(["1", "7"]) == ["affectnet", "ckextended", "ckplus", "ferplus", "rafdb"]
    assert label_codes.fitting(["0", "9"]) == ["affectnet"]
    assert label_codes.fitting(["0", "happy"]) == label_codes.fitting(["11"]) == label_codes.fitting([]) == []
    assert label_codes.advice(["0", "9"]) == " dataset.codes=<affectnet>"
    assert label_codes.advice(["happy"]) == ""
