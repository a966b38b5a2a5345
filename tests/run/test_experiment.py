"""The main job from the command line to MLflow, in real processes, on tiny data."""

import json
import re
import signal
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import CommandLine
from contracts import compose
from PIL import Image
from tiny_runs import TINY, client_of, runs_of, start

from fer_exp.data.emotions import EMOTIONS
from fer_exp.data.limits import limit
from fer_exp.dataset import Split, Splits
from fer_exp.options import config
from fer_exp.run.provenance import flatten, run_name


@dataclass(frozen=True)
class Finished:
    folder: Path
    output: str
    run: mlflow.entities.Run
    client: mlflow.MlflowClient

    def artifact(self, path: str) -> Path:
        return Path(self.client.download_artifacts(self.run.info.run_id, path))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("main_job")
    process = start(folder, *TINY[:2], "seed=3", *TINY[2:], "tracking.system_metrics=false")
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    (run,) = runs_of(folder)
    return Finished(folder, output, run, client_of(folder))


def test_it_tells_what_it_does(finished: Finished) -> None:
    steps = [f"python -m fer_exp.{what} {finished.run.info.run_id[:8]}" for what in ("predict", "compare", "ui --run")]
    for text in (
        f"run {finished.run.info.run_id} (",
        *steps,
        "model=cnn",
        "surprise",
        "epoch   2/2",
        "test macro-F1",
        "float32.tflite",
        "95 % interval",
    ):
        assert text in finished.output


def test_what_was_seen_is_kept(finished: Finished) -> None:
    assert "epoch   2/2" in finished.artifact("console.txt").read_text()
    assert "test macro-F1" in finished.artifact("console.txt").read_text()


def test_the_run_is_finished_and_named_after_what_differs(finished: Finished) -> None:
    assert finished.run.info.status == "FINISHED"
    assert finished.run.info.run_name.startswith("synthetic cnn model.widths=[4,4]")
    assert "seed=3" in finished.run.info.run_name


def test_everything_lands_in_the_working_directory(finished: Finished) -> None:
    assert finished.run.info.artifact_uri.startswith((finished.folder / "mlartifacts").as_uri())
    assert len(list((finished.folder / "outputs").glob("*/*/figures/*.png"))) == 10


def test_each_epoch_is_measured_once(finished: Finished) -> None:
    for metric in (
        "train/loss",
        "train/accuracy",
        "val/loss",
        "val/accuracy",
        "val/macro_f1",
        "lr",
        "images_per_second",
    ):
        history = finished.client.get_metric_history(finished.run.info.run_id, metric)
        assert [entry.step for entry in history] == [1, 2], metric


def test_the_test_metrics_follow_from_the_logged_predictions(finished: Finished) -> None:
    from sklearn.metrics import balanced_accuracy_score, f1_score

    metrics = finished.run.data.metrics
    table = pd.read_csv(finished.artifact("tables/predictions.csv"))
    truth, predicted = table["label"], table["prediction"]
    accuracy = float((truth == predicted).mean())
    assert len(table) == 70
    assert metrics["test/accuracy"] == pytest.approx(accuracy)
    assert metrics["test/accuracy_low"] < accuracy < metrics["test/accuracy_high"]
    assert metrics["test/macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert metrics["test/balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, predicted))
    assert all(f"test/{kind}/{name}" in metrics for kind in ("f1", "recall") for name in EMOTIONS)


def test_the_pictures_can_be_opened_and_the_tables_read(finished: Finished) -> None:
    names = {entry.path for entry in finished.client.list_artifacts(finished.run.info.run_id, "figures")}
    assert names == {
        f"figures/{name}.png"
        for name in (
            "confidently_wrong",
            "confusion_matrix_counts",
            "confusion_matrix_normalized",
            "exports",
            "grad_cam",
            "reliability",
            "robustness",
            "roc_and_precision_recall",
            "training_curves",
            "training_samples",
        )
    }
    for name in names:
        with Image.open(finished.artifact(name)) as picture:
            assert min(picture.size) > 300
    confusion = pd.read_csv(finished.artifact("tables/confusion_matrix.csv"), index_col=0)
    assert confusion.to_numpy().sum() == 70
    assert finished.artifact("tables/classification_report.txt").read_text().count("\n") > 8


def test_the_page_shows_the_run_and_how_to_run_it_again(finished: Finished) -> None:
    page = finished.artifact("report.html").read_text()
    assert page == next(finished.folder.glob("outputs/*/*/report.html")).read_text()
    assert f"python -m fer_exp reproduce={finished.run.info.run_id}" in page
    assert finished.run.data.tags["data_sha256"] in page
    figures = list(finished.folder.glob("outputs/*/*/figures/*.png"))
    assert page.count('src="data:image/') == len(figures)
    assert len(page) < 3_000_000


def test_the_tflite_files_prove_themselves(finished: Finished) -> None:
    metrics = finished.run.data.metrics
    for kind in ("float32", "dynamic"):
        path = finished.artifact(f"tflite/{kind}.tflite")
        with zipfile.ZipFile(path) as archive:
            assert archive.read("labels.txt").decode().split() == list(EMOTIONS)
        assert metrics[f"tflite/{kind}/size_mb"] == pytest.approx(path.stat().st_size / 1e6)
        assert metrics[f"tflite/{kind}/latency_ms_p50"] > 0
    assert metrics["tflite/float32/agreement"] == 1.0
    assert metrics["tflite/float32/accuracy"] == pytest.approx(metrics["test/accuracy"])
    assert metrics["tflite/dynamic/agreement"] > 0.8
    table = pd.read_csv(finished.artifact("tables/exports.csv"))
    assert table["kind"].tolist() == ["float32", "dynamic"]
    assert finished.run.info.run_id in finished.artifact("tflite/model_card.md").read_text()


def test_the_whole_resolved_configuration_is_recorded(finished: Finished) -> None:
    params = finished.run.data.params
    assert (params["lr"], params["schedule.peak"], params["model.widths"]) == ("0.001", "0.001", "[4, 4]")
    resolved = yaml.safe_load(finished.artifact("config/resolved.yaml").read_text())
    assert flatten(resolved).keys() == params.keys()


def test_a_mapping_with_names_that_mlflow_does_not_take_stays_one_param() -> None:
    assert flatten({"a": {"b": 1, "0-x": 2}}) == {"a.b": 1, "a.0-x": 2}
    assert flatten({"a": {"b": 1, "x & y": 2}}) == {"a": {"b": 1, "x & y": 2}}


def test_the_tags_say_where_it_comes_from(finished: Finished) -> None:
    tags = finished.run.data.tags
    assert "seed=3" in tags["overrides"]
    assert re.fullmatch(r"[0-9a-f]{64}", tags["data_sha256"])
    assert json.loads(tags["inputs"]) == {"image": {"kind": "image", "shape": [48, 48, 1]}}
    assert tags["weights"] == "random"
    assert tags["host"]
    assert tags["git_commit"]


def test_the_data_are_an_input_of_the_run(finished: Finished) -> None:
    inputs = finished.run.inputs.dataset_inputs
    assert [entry.tags[0].value for entry in inputs] == ["training", "validation", "test"]
    assert inputs[0].dataset.digest == finished.run.data.tags["data_sha256"][:32]


def test_the_logged_model_takes_images_and_returns_probabilities(finished: Finished) -> None:
    mlflow.set_tracking_uri(f"sqlite:///{finished.folder / 'mlflow.db'}")
    (model,) = finished.client.search_logged_models([finished.run.info.experiment_id])
    loaded = mlflow.pyfunc.load_model(model.model_uri)
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 1), np.uint8)
    probabilities = np.asarray(loaded.predict(images))
    assert probabilities.shape == (3, 7)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    with pytest.raises(mlflow.exceptions.MlflowException):
        loaded.predict(images[:, :, :24])


def test_the_logged_keras_model_gives_the_logged_probabilities(finished: Finished) -> None:
    import keras

    model = keras.models.load_model(finished.artifact("model/model.keras"), safe_mode=True)
    splits = config.build(compose(*TINY)["dataset"])
    logits = model.predict(splits.test.images.astype("float32"), verbose=0)
    table = pd.read_csv(finished.artifact("tables/predictions.csv"))
    predicted = [EMOTIONS[row] for row in logits.argmax(axis=1)]
    assert predicted == table["prediction"].tolist()
    given = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(given, table[[f"p_{name}" for name in EMOTIONS]], atol=1e-5)


def test_the_temperature_is_in_what_leaves_the_run(finished: Finished) -> None:
    from fer_exp.lite import litert
    from fer_exp.reporting import tables

    metrics = finished.run.data.metrics
    assert finished.run.data.tags["temperature"].startswith(f"{metrics['temperature']:.4f}, fitted on val")
    assert metrics["temperature"] != pytest.approx(1, abs=0.01)
    logged = tables.read_predictions(finished.artifact("tables/predictions.csv")).probabilities
    images = config.build(compose(*TINY)["dataset"]).test.images
    file = litert.Interpreter(finished.artifact("tflite/float32.tflite"))
    np.testing.assert_allclose(file.predict({"image": images}), logged, atol=1e-5)
    mlflow.set_tracking_uri(f"sqlite:///{finished.folder / 'mlflow.db'}")
    (model,) = finished.client.search_logged_models([finished.run.info.experiment_id])
    np.testing.assert_allclose(mlflow.pyfunc.load_model(model.model_uri).predict(images), logged, atol=1e-5)


def test_calibration_ranking_and_robustness_are_told(finished: Finished) -> None:
    metrics = finished.run.data.metrics
    assert {"test/ece", "test_uncalibrated/ece", "test/roc_auc", "test/average_precision"} <= set(metrics)
    assert 0 <= metrics["robustness/noise/mean"] <= 1
    assert "test ECE" in finished.output
    assert finished.run.data.params["evaluation.robustness"] == "['noise']"


def test_the_mean_over_views_is_reported_beside_the_plain_numbers(finished: Finished) -> None:
    import keras

    model = keras.models.load_model(finished.artifact("model/model.keras"), safe_mode=True)
    test = config.build(compose(*TINY)["dataset"]).test
    views = (test.images, test.images[:, :, ::-1])
    mean = sum(keras.ops.softmax(model.predict(view.astype("float32"), verbose=0)) for view in views)
    found = finished.run.data.metrics
    assert found["test_flip/accuracy"] == pytest.approx(np.mean(np.argmax(mean, axis=1) == test.labels))
    assert found["test_flip/accuracy_low"] < found["test_flip/accuracy"] < found["test_flip/accuracy_high"]
    assert "test/accuracy" in found


def test_the_tags_say_what_a_forward_pass_costs(finished: Finished) -> None:
    tags = finished.run.data.tags
    # Two separable convolutions 1 -> 4 -> 4 at 46 and 44 pixels, a dense layer of 8 behind the pool, and the logits.
    convolutions = 46**2 * (9 * 1 + 1 * 4) + 44**2 * (9 * 4 + 4 * 4)
    assert int(tags["multiply_adds"]) == convolutions + 22**2 * 4 * 8 + 8 * 7


def test_a_loss_that_is_not_finite_ends_the_run_as_failed_with_advice(
    command_line: CommandLine, tmp_path: Path
) -> None:
    done = command_line(*TINY, "lr=1e30", "optimizer=sgd", "schedule=constant")
    assert done.returncode == 3
    assert re.search(r"error: The loss became (nan|inf) in epoch \d+, step \d+\. Try a smaller lr", done.stderr)
    assert "Traceback" not in done.stderr
    (run,) = runs_of(tmp_path)
    assert run.info.status == "FAILED"
    client = client_of(tmp_path)
    assert "TrainingDivergedError" in Path(client.download_artifacts(run.info.run_id, "traceback.txt")).read_text()
    seen = Path(client.download_artifacts(run.info.run_id, "console.txt")).read_text()
    assert seen.splitlines()[-1].startswith(("stage all: 2 epochs", "compiling the first step", "epoch   1/2"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_an_interrupted_run_is_killed_and_says_so(tmp_path: Path, number: signal.Signals, code: int) -> None:
    process = start(tmp_path, *TINY, "epochs=5000", "early_stopping=null", "tracking.system_metrics=false")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("epoch   1/") or line.startswith("epoch   2/"):
            break
    time.sleep(0.2)
    process.send_signal(number)
    rest = process.stdout.read()
    assert process.wait(timeout=60) == code, rest
    (run,) = runs_of(tmp_path)
    assert run.info.status == "KILLED"
    assert "Traceback" not in rest


@pytest.mark.whole
def test_debug_overfit_reaches_every_training_image(command_line: CommandLine, tmp_path: Path) -> None:
    done = command_line("debug=overfit", "tracking.system_metrics=false")
    assert done.returncode == 0, done.stderr
    (run,) = runs_of(tmp_path, "fer_exp_debug")
    assert run.data.metrics["best_train/accuracy"] == 1.0


def split(labels: list[int]) -> Split:
    return Split.of_images(np.arange(len(labels), dtype=np.uint8)[:, None, None, None], np.array(labels))


def test_a_limited_split_keeps_every_class() -> None:
    splits = Splits(split([0, 0, 0, 0, 1, 1, 2]), split([0] * 5), split([1] * 5), ("a", "b", "c"), "", "")
    experiment = config.check(compose("limit_batches=2", "batch_size=2"))
    limited = limit(splits, experiment)
    assert limited.train.labels.tolist() == [0, 0, 1, 2]
    assert (len(limited.val), len(limited.test)) == (4, 4)


def test_overfitting_looks_at_the_same_images_three_times() -> None:
    splits = Splits(split([0, 1, 2, 0]), split([1] * 5), split([2] * 5), ("a", "b", "c"), "", "")
    limited = limit(splits, config.check(compose("overfit_batches=1", "batch_size=2")))
    assert limited.train.labels.tolist() == limited.val.labels.tolist() == limited.test.labels.tolist() == [0, 1]


def test_a_run_name_leaves_out_where_things_lie() -> None:
    experiment = config.check(compose("model=mobilenet_v1"))
    overrides = ["model=mobilenet_v1", "dataset.path=/data/fer2013.csv", "tracking.uri=sqlite:///x.db", "lr=1e-4"]
    assert run_name(experiment, overrides) == "synthetic mobilenet_v1 dataset.path=fer2013.csv lr=1e-4"


class Shelf:
    """A run that remembers the files of the folders it is told of."""

    files: frozenset[str] = frozenset()

    def log_folder(self, folder: Path) -> None:
        self.files |= {f"{folder.name}/{file.name}" for file in folder.iterdir()}


def test_a_run_records_where_its_data_are_and_keeps_its_corrections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fer_exp.run import experiment

    monkeypatch.chdir(tmp_path)
    (tmp_path / "names.csv").write_text("name\nrow 1\n")
    values, shelf = compose("dataset=fer2013", "dataset.path=x.csv", "dataset.exclude=names.csv"), Shelf()
    experiment._write_config(tmp_path / "run", values, ["lr=1"], shelf)  # type: ignore[arg-type]
    assert shelf.files == {"config/resolved.yaml", "config/overrides.yaml", "config/dataset.exclude.csv"}
    recorded = yaml.safe_load((tmp_path / "run" / "config" / "resolved.yaml").read_text())["dataset"]
    assert (recorded["path"], recorded["exclude"]) == (str(tmp_path / "x.csv"), str(tmp_path / "names.csv"))
    assert values["dataset"]["path"] == "x.csv"  # from which the fingerprint is made
    assert (tmp_path / "run" / "config" / "dataset.exclude.csv").read_text() == "name\nrow 1\n"
