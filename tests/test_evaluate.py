"""A trained model on any data set: classes by name, logged as a child of its run or as a run of its own."""

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from answers import NAMES, answered, right
from drawn_faces import flat
from made_run import SHAPE, make_run, tracker_of, write_tflite
from rich.console import Console

from fer_exp import evaluate
from fer_exp.dataset import Split, Splits
from fer_exp.errors import ConfigError, DataError, UserError
from fer_exp.trained import Classifier

BRIGHT = {"angry": 20, "happy": 128, "sad": 240}


def write_faces(folder: Path, **brightness: int) -> Path:
    """A folder for each class, with twelve even pictures of such brightness in each."""
    for name, value in brightness.items():
        (folder / name).mkdir(parents=True)
        for number in range(12):
            flat(value).save(folder / name / f"{number}.png")
    return folder


def on(faces: Path) -> list[str]:
    return ["dataset=image_folder", f"dataset.path={faces}", "dataset.val=0.25", "dataset.test=0.25"]


def classifier(names: tuple[str, ...], rows: np.ndarray) -> Classifier:
    return Classifier("made", SHAPE, names, lambda images: rows[: len(images)], None, None, "made")


def splits(names: tuple[str, ...], labels: list[int]) -> Splits:
    split = Split(np.zeros((len(labels), *SHAPE), np.uint8), np.array(labels))
    return Splits(split, split, split, names, "0" * 64, "drawn")


@pytest.fixture
def screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Console:
    monkeypatch.chdir(tmp_path)
    return Console(record=True, width=200)


def test_classes_are_matched_by_name_whatever_their_order() -> None:
    rows = np.array([[0.7, 0.2, 0.1], [0.1, 0.7, 0.2]], np.float32)  # sad, then angry
    found = evaluate.measure(classifier(("sad", "angry", "happy"), rows), splits(NAMES, [2, 0]), "test", False)
    assert found.evaluation.class_names == NAMES
    assert found.evaluation.accuracy == 1.0
    np.testing.assert_allclose(found.evaluation.probabilities[0], [0.2, 0.1, 0.7])


def test_other_classes_are_an_error_that_names_them_unless_only_the_common_ones_are_asked_for() -> None:
    rows = np.array([[0.5, 0.3, 0.2], [0.0, 0.0, 1.0], [0.1, 0.6, 0.3]], np.float32)
    model, data = classifier(("angry", "happy", "fear"), rows), splits(NAMES, [0, 0, 1])
    with pytest.raises(DataError) as caught:
        evaluate.measure(model, data, "test", False)
    assert str(caught.value) == (
        "`dataset` must have the classes of the model. Received: drawn; only the data have sad, only the model has "
        "fear: --common evaluates those that both have."
    )
    found = evaluate.measure(model, data, "test", True)
    assert found.evaluation.class_names == ("angry", "happy")
    np.testing.assert_allclose(found.evaluation.probabilities, [[0.625, 0.375], [0.5, 0.5], [1 / 7, 6 / 7]], rtol=1e-5)
    assert found.notes == (
        "only the shared classes angry, happy are evaluated; 0 images of others are left out",
        "for 1 images the model gave no shared class any probability; all count the same there",
    )


def test_images_of_classes_that_the_model_does_not_know_are_left_out_with_common() -> None:
    rows = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)
    found = evaluate.measure(classifier(("angry", "happy"), rows), splits(NAMES, [0, 2, 1]), "test", True)
    assert len(found.evaluation) == 2
    assert found.notes[0].endswith("1 images of others are left out")
    with pytest.raises(DataError, match="holds no image of the shared classes angry, happy"):
        evaluate.measure(classifier(("angry", "happy"), rows), splits(NAMES, [2, 2]), "test", True)
    with pytest.raises(DataError, match="only the model has x: they do not share two classes"):
        evaluate.measure(classifier(("angry", "x"), rows), splits(NAMES, [0]), "test", True)


def test_a_file_is_evaluated_and_logged_as_a_run_of_its_own(screen: Console, tmp_path: Path) -> None:
    path = write_tflite(tmp_path)
    faces = write_faces(tmp_path / "faces", **{**BRIGHT, "sad": 20})  # what is called sad looks angry
    run_id = evaluate.run(str(path), on(faces), "test", "keras", False, screen)
    run = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}").get_run(run_id)
    metrics = run.data.metrics
    assert run.info.status == "FINISHED"
    assert metrics["test/accuracy"] == pytest.approx(2 / 3)
    assert metrics["test/accuracy_low"] < 2 / 3 < metrics["test/accuracy_high"]
    assert (run.data.params["split"], run.data.tags["evaluated"]) == ("test", str(path))
    assert "mlflow.parentRunId" not in run.data.tags
    assert "images of 48x48x1 were made 24x24x1, as the model takes them" in screen.export_text()
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    table = pd.read_csv(client.download_artifacts(run_id, "tables/predictions.csv"))
    assert len(table) == 9
    assert {entry.path for entry in client.list_artifacts(run_id, "figures")} >= {"figures/confusion_matrix_counts.png"}


def test_a_run_is_evaluated_on_its_own_data_if_none_are_named_and_gets_a_child(screen: Console, tmp_path: Path) -> None:
    tracker, folder = tracker_of(tmp_path), tmp_path / "outputs" / "r"
    run_id = make_run(tracker, folder, answered(right(0.5, 0)))
    with pytest.raises(ConfigError, match=r"`dataset` must be named: run .* has no config/resolved.yaml"):
        evaluate.run(run_id, [], "val", "keras", False, screen)
    from fer_exp.commandline import check

    jobs = check([*on(write_faces(tmp_path / "faces", **BRIGHT)), "dataset.image_size=30"])
    assert jobs is not None
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "resolved.yaml").write_text(yaml.safe_dump(jobs.first.model_dump()))
    tracker.add_folder(run_id, tmp_path / "config", "config")
    child = evaluate.run(run_id, [], "val", "keras", False, screen)
    found = mlflow.MlflowClient(tracker.uri).get_run(child)
    assert found.data.tags["mlflow.parentRunId"] == run_id
    assert found.data.metrics["val/accuracy"] == 1.0
    assert found.data.params["dataset.image_size"] == "30"
    assert "test/accuracy" not in found.data.metrics


def test_mistakes_are_told_and_nothing_is_logged(screen: Console, tmp_path: Path) -> None:
    path = write_tflite(tmp_path)
    for words, told in (
        ([], "`dataset` must be named for a file: dataset=fer2013 dataset.path=... Received: "),
        (["faces"], "Overrides must be key=value. Received: faces."),
        (["dataset=image_folder", "dataset.path=nowhere"], "`dataset.path` must be an existing path"),
    ):
        with pytest.raises(UserError) as caught:
            evaluate.run(str(path), words, "test", "keras", False, screen)
        assert told in str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["float32.tflite"]
