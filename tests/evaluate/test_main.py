"""A trained model on any data set: classes by name, logged as a child of its run or as a run of its own."""

from pathlib import Path

import mlflow
import pandas as pd
import pytest
import yaml
from answers import answered, right
from drawn_faces import flat
from made_run import make_run, tracker_of, write_tflite
from rich.console import Console

from fer_exp.errors import ConfigError, UserError
from fer_exp.evaluate import evaluating

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


@pytest.fixture
def screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Console:
    monkeypatch.chdir(tmp_path)
    return Console(record=True, width=200)


def test_a_file_is_evaluated_and_logged_as_a_run_of_its_own(screen: Console, tmp_path: Path) -> None:
    path = write_tflite(tmp_path)
    faces = write_faces(tmp_path / "faces", **{**BRIGHT, "sad": 20})  # what is called sad looks angry
    asked = [*on(faces), "evaluation.robustness=[blur]"]
    run_id = evaluating.run(str(path), asked, "test", "keras", False, screen)
    run = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}").get_run(run_id)
    metrics = run.data.metrics
    assert run.info.status == "FINISHED"
    assert metrics["test/accuracy"] == pytest.approx(2 / 3)
    assert metrics["test/accuracy_low"] < 2 / 3 < metrics["test/accuracy_high"]
    assert (run.data.params["split"], run.data.tags["evaluated"]) == ("test", str(path))
    assert "mlflow.parentRunId" not in run.data.tags
    assert "images of 48x48x1 were made 24x24x1, as the model takes them" in screen.export_text(clear=False)
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    table = pd.read_csv(client.download_artifacts(run_id, "tables/predictions.csv"))
    assert len(table) == 9
    assert {entry.path for entry in client.list_artifacts(run_id, "figures")} == {
        f"figures/{name}.png"
        for name in (
            *("confidently_wrong", "confusion_matrix_counts", "confusion_matrix_normalized"),
            *("reliability", "robustness", "roc_and_precision_recall"),  # of a file there are no maps
        )
    }
    assert metrics["robustness/clean"] == metrics["test/accuracy"]
    assert metrics["robustness/blur/mean"] == metrics["test/accuracy"]  # blur does nothing to even pictures
    assert metrics["test/leaked_images"] == 9  # they are all alike
    assert "9 of 9 test images are also in train or val, pixel for pixel" in screen.export_text(clear=False)
    assert (run.data.params["evaluation.robustness"], metrics["test/roc_auc"] > 0.5) == ("['blur']", True)


def test_a_run_is_evaluated_on_its_own_data_if_none_are_named_and_gets_a_child(screen: Console, tmp_path: Path) -> None:
    tracker, folder = tracker_of(tmp_path), tmp_path / "outputs" / "r"
    run_id = make_run(tracker, folder, answered(right(0.5, 0)))
    with pytest.raises(ConfigError, match=r"`dataset` must be named: run .* has no config/resolved.yaml"):
        evaluating.run(run_id, [], "val", "keras", False, screen)
    from fer_exp.options.commandline import check

    jobs = check([*on(write_faces(tmp_path / "faces", **BRIGHT)), "dataset.image_size=30"])
    assert jobs is not None
    (tmp_path / "config").mkdir()
    values = jobs.first.model_dump()
    del values["dataset"]["exclude"]  # as of a run that is older than this option
    (tmp_path / "config" / "resolved.yaml").write_text(yaml.safe_dump(values))
    tracker.add_folder(run_id, tmp_path / "config", "config")
    child = evaluating.run(run_id, ["evaluation.grad_cam=2"], "val", "keras", False, screen)
    found = mlflow.MlflowClient(tracker.uri).get_run(child)
    assert found.data.tags["mlflow.parentRunId"] == run_id
    assert found.data.metrics["val/accuracy"] == 1.0
    assert found.data.params["dataset.image_size"] == "30"
    assert "test/accuracy" not in found.data.metrics
    assert "val/leaked_images" not in found.data.metrics  # the run was trained on other data
    pictures = mlflow.MlflowClient(tracker.uri).list_artifacts(child, "figures")
    assert "figures/grad_cam.png" in {entry.path for entry in pictures}


def test_a_temperature_is_fitted_on_val_and_told_and_the_file_stays_as_it_is(screen: Console, tmp_path: Path) -> None:
    path = write_tflite(tmp_path)
    before = path.read_bytes()
    faces = write_faces(tmp_path / "faces", angry=80, happy=90, sad=175)
    asked = [*on(faces), "evaluation.temperature_scaling=true"]
    with pytest.raises(ConfigError, match="is fitted on val and must be judged on another split"):
        evaluating.run(str(path), asked, "val", "keras", False, screen)
    run_id = evaluating.run(str(path), asked, "test", "keras", False, screen)
    metrics = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}").get_run(run_id).data.metrics
    assert metrics["test/nll"] < metrics["test_uncalibrated/nll"]
    assert metrics["temperature"] < 1  # right throughout, without being sure of it
    assert "a temperature fitted on val; the model is as it was" in screen.export_text()
    assert path.read_bytes() == before


def test_mistakes_are_told_and_nothing_is_logged(screen: Console, tmp_path: Path) -> None:
    path = write_tflite(tmp_path)
    for words, told in (
        ([], "`dataset` must be named for a file: dataset=fer2013 dataset.path=... Received: "),
        (["faces"], "Overrides must be key=value. Received: faces."),
        (["dataset=image_folder", "dataset.path=nowhere"], "`dataset.path` must be an existing path"),
    ):
        with pytest.raises(UserError) as caught:
            evaluating.run(str(path), words, "test", "keras", False, screen)
        assert told in str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["float32.tflite"]
