"""The picture tells better from worse, and nothing from no image."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from reporting.test_figure import texts

from fer_exp.compare.confusion_difference import confusion_differences

NAMES = ("angry", "happy", "sad")
VALUES = np.array([[0.1, -0.1, 0.0], [0.04, -0.04, 0.0], [np.nan, np.nan, np.nan]])


def drawn(*panels: tuple[str, np.ndarray]) -> Figure:
    return confusion_differences(panels, NAMES, "A  lr=0.1")


def test_every_cell_shows_its_change_in_percentage_points() -> None:
    shown = texts(drawn(("B  lr=0.2", VALUES)))
    for text in (*NAMES, "B  lr=0.2", "+10.0", "−10.0", "+4.0", "−4.0", "0", "–"):
        assert text in shown
    assert "A  lr=0.1" in " ".join(shown)


def test_more_right_and_less_wrong_answers_are_blue_the_opposite_is_orange() -> None:
    image = drawn(("B", VALUES)).axes[0].images[0].get_array()
    red, blue = image[..., 0], image[..., 2]
    assert (blue > red)[0, :2].all()  # more on the diagonal, less beside it
    assert (red > blue)[1, :2].all()
    assert (red == blue)[2].all()


def test_there_is_a_panel_for_each_configuration() -> None:
    picture = drawn(*((f"{number}", VALUES) for number in range(4)))
    assert sum(bool(axes.images) for axes in picture.axes) == 4


def test_long_names_are_cut_after_two_lines() -> None:
    (title,) = [text for text in texts(drawn(("key=value " * 30, VALUES))) if text.startswith("key")]
    assert title.count("\n") == 1
    assert title.endswith("…")


def test_names_that_look_like_formulas_are_drawn_as_they_are() -> None:
    formula = r"$\nonsense_{$"
    picture = confusion_differences([(formula, VALUES)], (formula, "happy", "sad"), formula)
    assert texts(picture).count(formula) == 3  # the panel's title, and a class in its row and column


def test_a_matrix_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`panels` must hold at least one matrix of shape \(3, 3\)"):
        drawn(("B", VALUES[:2]))
