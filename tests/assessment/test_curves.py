"""Curves show every class and every number they promise, also in the corner cases."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from fer_exp.assessment import confidence, curves, metrics, ranking, robustness
from fer_exp.assessment.corruptions import CORRUPTIONS

NAMES = ("angry", "happy", "sad")


def answers(names: tuple[str, ...] = NAMES, classes: int = 3) -> metrics.Evaluation:
    random = np.random.default_rng(0)
    labels = np.arange(60) % classes
    rows = random.dirichlet(np.ones(len(names)), 60) + np.eye(len(names))[labels]
    return metrics.evaluate(rows / 2, labels, names)


def texts(picture: Figure) -> list[str]:
    picture.canvas.draw()
    return [text.get_text() for text in picture.findobj(Text) if text.get_text() and text.get_visible()]


def test_each_class_with_images_has_a_line_and_its_value() -> None:
    found = ranking.rank(answers((*NAMES, "none")))
    shown = texts(curves.ranking_curves(answers((*NAMES, "none")), found, "Curves"))
    for name, value in zip(NAMES, found.auc, strict=False):
        assert f"{name} {value:.3f}" in shown
    assert f"angry {found.precision[0]:.3f} (33 %)" in shown
    assert f"mean {found.macro_auc:.3f}" in shown
    assert not [text for text in shown if text.startswith("none")]


def test_images_of_one_class_leave_a_sentence() -> None:
    one = answers(classes=1)
    shown = " ".join(texts(curves.ranking_curves(one, ranking.rank(one), "Curves")))
    assert "The images are all of one class: there is nothing to rank." in shown


def test_the_reliability_diagram_tells_both_errors_and_what_was_before() -> None:
    found = confidence.measure(answers())
    shown = " ".join(texts(curves.reliability(answers(), found, "Reliability", answers())))
    assert f"ECE {100 * found.ece:.1f} % (15 bins of equal width), {100 * found.ece_adaptive:.1f} %" in shown
    assert f"before temperature scaling, ECE {100 * found.ece:.1f} %" in shown
    assert f"mean confidence {abs(100 * found.overconfidence):.1f} points" in shown
    assert "before" not in " ".join(texts(curves.reliability(answers(), found, "Reliability")))


@pytest.mark.parametrize("names", [["blur"], list(CORRUPTIONS)])
def test_each_corruption_has_a_panel_with_its_amounts(names: list[str]) -> None:
    images = np.zeros((6, 12, 12, 1), np.uint8)
    table = robustness.measure(lambda few: np.zeros(len(few), int), images, np.array([0, 0, 0, 0, 1, 1]), names, 9, 0)
    picture = curves.robustness(table, "Robustness")
    shown = texts(picture)
    assert len(picture.axes) == len(names)
    assert "blur, mean 66.7 %" in shown
    assert {"0.01", "0.06", "sigma, share of the side"} <= set(shown)
