"""Classes that cannot be told apart at the end are refused at the beginning, in one sentence."""

import pytest

from fer_exp.data import class_names
from fer_exp.errors import DataError


def require(names: tuple[str, ...]) -> None:
    class_names.require_readable(names, "faces")
    class_names.require_several(names, "faces")


@pytest.mark.parametrize(
    "names",
    [("angry", "sad"), ("happy (smile)!", "[bold]"), ("Überraschung", "می‌خندد"), ("  x", "\N{NO-BREAK SPACE}y")],
)
def test_any_two_lines_of_text_are_classes(names: tuple[str, ...]) -> None:
    require(names)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ((), "two classes or more to tell apart. Received: faces with none. Images lie in a folder for each class"),
        (("smile",), r"Received: faces with one, smile. .*<class>/\*\.jpg or <split>/<class>/\*\.jpg\.$"),
        (("images",), r"`images` seems to hold the images of all classes, as copies for object detection do \(YOLO"),
        (("a", " "), r"must be one line of text, of 1 to 255 letters: .* Received: ' ' in faces. Rename the folder"),
        (("a", ""), "Received: '' in faces"),
        (("a", "b\nc"), r"Received: 'b\\nc' in faces"),
        (("a", "b\x85c"), r"Received: 'b\\x85c' in faces"),  # which Python takes for the end of a line
        (("a", "\u2028"), r"Received: '\\u2028' in faces"),
        (("a", "caf\udce9"), r"Received: 'caf\\udce9' in faces"),  # a name of a folder that is no Unicode
        (("a", "b" * 256), "Received: 'bbb"),
        (("a", "b", "b"), "No two classes may have the same name. Received: b in faces, twice."),
    ],
)
def test_what_is_no_name_of_a_class_is_told(names: tuple[str, ...], told: str) -> None:
    with pytest.raises(DataError, match=told):
        require(names)


def test_a_part_of_a_whole_may_have_one_class() -> None:
    class_names.require_readable(("contempt",), "more faces")
