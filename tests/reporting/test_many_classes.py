"""Pictures and tables stay as large as a person can read, however many classes there are, whatever they are called."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from rich.console import Console

from fer_exp.assessment import curves, grad_cam_sheet, metrics, ranking
from fer_exp.assessment.metrics import Evaluation
from fer_exp.compare.confusion_difference import confusion_differences
from fer_exp.dataset import Split, Splits
from fer_exp.reporting import data_table, figure, figure_style, image_sheets, tables
from fer_exp.reporting.run_page import contents, pictures

ODD = ("$x_{1$", "_hidden", "[red]", "a" * 255, "two\twords", "悲しい", "50 % & more", "\\frac", "$$")
LETTERS = "w" * 200
MOST_PIXELS = 6_000_000
MOST_TEXTS = 1_200


def answers(names: tuple[str, ...], of_each: int = 3) -> Evaluation:
    random = np.random.default_rng(0)
    labels = np.arange(of_each * len(names)) % len(names)
    guesses = np.where(random.random(len(labels)) < 0.6, labels, random.integers(0, len(names), len(labels)))
    rows = np.full((len(labels), len(names)), 0.4 / (len(names) - 1))
    rows[np.arange(len(labels)), guesses] = 0.6
    return metrics.evaluate(rows, labels, names)


def split(evaluation: Evaluation) -> Split:
    return Split.of_images(np.zeros((len(evaluation), 6, 6, 1), np.uint8), evaluation.labels)


class Explainer:
    """Shows nothing anywhere."""

    cells = (5, 5)

    def maps(self, images: np.ndarray, classes: np.ndarray) -> np.ndarray:
        return np.zeros(images.shape[:3], np.float32)


def drawn(evaluation: Evaluation) -> Iterator[tuple[str, Figure]]:
    """Yields every picture of which a part depends on the classes."""
    images, names = split(evaluation).images, evaluation.class_names
    yield "counts", figure.confusion_matrix(evaluation, False, "Counts")
    yield "shares", figure.confusion_matrix(evaluation, True, "Shares")
    yield "curves", curves.ranking_curves(evaluation, ranking.rank(evaluation), "Curves")
    yield "wrong", image_sheets.confidently_wrong(evaluation, images)
    yield "samples", image_sheets.samples(images, evaluation.labels, names)
    shares = evaluation.confusion / np.maximum(evaluation.support, 1)[:, None]
    panels = [(f"B {names[0]}", shares - shares.T), *((f"{number}", shares) for number in range(3))]
    yield "differences", confusion_differences(panels, names, f"A {names[0]}")
    explainer = Explainer()
    yield "maps", grad_cam_sheet.draw(explainer, evaluation, lambda rows: images[rows], 4, 0)  # type: ignore[arg-type]
    captions = [[f"{names[0]} → {names[-1]}\nfile {'x' * 250}.png"] * 3]
    yield "captioned", image_sheets.captioned([list(images[:3])], captions, "Found", "3 images")


def pixels(picture: Figure) -> float:
    width, height = picture.get_size_inches() * picture.dpi
    return float(width * height)


@pytest.mark.parametrize("classes", [21, 100, 700])
def test_no_picture_grows_with_the_number_of_classes(classes: int) -> None:
    evaluation = answers(tuple(f"{LETTERS} {number:04d}" for number in range(classes)))
    for name, picture in drawn(evaluation):
        assert pixels(picture) < MOST_PIXELS, name
        assert len(picture.findobj(Text)) < MOST_TEXTS, name


def test_pictures_of_a_hundred_classes_are_written(tmp_path: Path) -> None:
    for name, picture in drawn(answers(tuple(f"{LETTERS} {number:04d}" for number in range(100)))):
        figure_style.save(picture, tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size < 3_000_000
    found, left_out = pictures.collect(tmp_path)
    assert (len(found), left_out) == (8, [])


def test_pictures_of_classes_with_odd_names_are_written(tmp_path: Path) -> None:
    """What looks like a formula, a hidden line, markup, or has no end."""
    for name, picture in drawn(answers(ODD)):
        assert pixels(picture) < MOST_PIXELS, name
        figure_style.save(picture, tmp_path / f"{name}.png")
    legends = curves.ranking_curves(answers(ODD), ranking.rank(answers(ODD)), "Curves").axes[0].get_legend()
    assert legends is not None
    shown = " ".join(text.get_text() for text in legends.get_texts())
    for name in ("$x_{1$", "_hidden", "[red]", "\\frac"):
        assert name in shown


def test_long_names_are_told_apart_by_their_ends() -> None:
    names = tuple(f"{LETTERS} {number:04d}" for number in range(30))
    texts = [text.get_text() for text in figure.confusion_matrix(answers(names), True, "Shares").findobj(Text)]
    assert sum(text.endswith("0017") for text in texts) >= 2, "a row and a column"


def test_of_many_classes_those_are_drawn_as_curves_that_are_ranked_worst() -> None:
    evaluation = answers(tuple(f"class {number}" for number in range(40)))
    found = ranking.rank(evaluation)
    legend = curves.ranking_curves(evaluation, found, "Curves").axes[0].get_legend()
    assert legend is not None
    worst = f"class {int(np.argmin(found.auc))} "
    lines = [text.get_text() for text in legend.get_texts()]
    assert len(lines) == 11, "and the mean"
    assert any(line.startswith(worst) for line in lines)
    assert legend.get_title().get_text() == "area, the 10 least of 40"


def test_each_picture_keeps_its_title() -> None:
    for name, picture in drawn(answers(tuple(f"class {number}" for number in range(40)))):
        shown = " ".join(text.get_text() for text in picture.texts)
        titles = ("Counts", "Shares", "Curves", "mistakes", "Samples", "Differences", "looks at", "Found")
        assert sum(title in shown for title in titles) == 1, (name, shown)


def test_ticks_are_at_even_distances() -> None:
    for classes in (21, 60, 61, 100, 700):
        picture = figure.confusion_matrix(answers(tuple(map(str, range(classes))), of_each=2), True, "Shares")
        ticks = picture.axes[0].get_yticks()
        assert len(ticks) <= 60
        assert len(set(np.diff(ticks))) == 1


def splits_of(evaluation: Evaluation) -> Splits:
    part = split(evaluation)
    return Splits(part, part, part, evaluation.class_names, "0" * 64, "made [bold]here[/x]")


def printed(*parts: object) -> str:
    screen = Console(width=140, record=True, file=io.StringIO())
    screen.print(*parts)
    return screen.export_text()


def test_the_terminal_shows_the_largest_and_the_smallest_of_many_classes() -> None:
    evaluation = answers(tuple(f"class {number}" for number in range(100)))
    sizes = np.repeat(np.arange(100), np.arange(1, 101))
    train = Split.of_images(np.zeros((len(sizes), 6, 6, 1), np.uint8), sizes)
    splits = Splits(train, split(evaluation), split(evaluation), evaluation.class_names, "0" * 64, "here")
    text = printed(data_table.data_table(splits))
    assert len(text.splitlines()) < 40
    assert [f"class {number} " in text for number in (99, 88, 50, 11, 0)] == [True, True, False, True, True]
    assert "... 76 more classes" in text


def test_the_terminal_shows_names_that_look_like_markup_as_they_are() -> None:
    text = printed(data_table.data_table(splits_of(answers(ODD))))
    assert "[red]" in text
    assert "made [bold]here[/x]" in text


def test_the_page_of_a_run_has_tables_that_can_be_read(tmp_path: Path) -> None:
    evaluation = answers(tuple(f"class {number}" for number in range(700)), of_each=2)
    about = contents.About(
        "run", "a" * 32, "sqlite:///x.db", [], {}, {}, splits_of(evaluation), evaluation, (1, 1), 1.0
    )
    for table in (contents.classes(about), contents.images(about), contents.confusions(about)):
        assert len(table.rows) <= 202
        assert len(table.columns) < 10
    assert "200 of 700 classes" in contents.classes(about).note
    assert "200 of 700 classes" in contents.images(about).note
    assert "tables/confusion_matrix.csv" in contents.confusions(about).note


def test_the_table_of_a_page_keeps_its_last_lines() -> None:
    evaluation = answers(tuple(f"class {number}" for number in range(300)), of_each=2)
    about = contents.About("run", "a" * 32, "", [], {}, {}, splits_of(evaluation), evaluation, (1, 1), 1.0)
    assert [row[0] for row in contents.classes(about).rows[-2:]] == ["macro avg", "accuracy"]


def test_a_picture_that_is_too_large_for_the_page_is_left_out_and_named(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("1", (9000, 9000)).save(tmp_path / "huge.png")
    Image.new("1", (90, 90)).save(tmp_path / "small.png")
    found, left_out = pictures.collect(tmp_path)
    assert (len(found), left_out) == (1, ["huge.png"])


def test_the_intervals_of_many_classes_take_little_memory() -> None:
    import tracemalloc

    evaluation = answers(tuple(f"class {number}" for number in range(500)), of_each=4)
    tracemalloc.start()
    assert evaluation.f1_interval.shape == (500, 2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 400e6, "whole matrices would take 2 GB"


def test_resamples_are_those_of_whole_matrices() -> None:
    confusion = answers(("a", "b", "c", "d"), of_each=9).confusion
    count = int(confusion.sum())
    whole = np.random.default_rng(0).multinomial(count, confusion.ravel() / count, size=1000).reshape(1000, 4, 4)
    right = np.diagonal(whole, axis1=1, axis2=2)
    drawn = metrics.resampled(confusion)
    np.testing.assert_allclose(drawn.recall, right / whole.sum(axis=2))
    np.testing.assert_allclose(drawn.f1, 2 * right / (whole.sum(axis=1) + whole.sum(axis=2)))


def test_every_class_is_in_the_files(tmp_path: Path) -> None:
    evaluation = answers(tuple(f"class {number}" for number in range(100)))
    assert len(tables.classification_table(evaluation)) == 102
    tables.confusion_table(evaluation).to_csv(tmp_path / "confusion.csv")
    assert pd.read_csv(tmp_path / "confusion.csv", index_col=0).shape == (100, 100)
