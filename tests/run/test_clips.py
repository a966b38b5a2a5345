"""Clips go the whole way that images go: trained on, drawn, exported, proven, predicted, measured, repeated."""

import json
from pathlib import Path

import mlflow
import processes
import pytest
from conftest import environment_for
from made_videos import write_video
from tiny_runs import client_of, runs_of

pytestmark = pytest.mark.whole

CLIPS = [
    *("dataset.kind=clip", "dataset.motion=half", "dataset.frames=4", "dataset.image_size=24"),
    *(
        "dataset.train_size=260",
        "dataset.val_size=78",
        "dataset.test_size=78",
        "model=clip",
        "model.frame.widths=[4,4]",
    ),
    *("model.frame.head_units=8", "model.units=8", "epochs=2", "augmentation=strong"),
    *("export.max_accuracy_drop=1", "export.kinds=[float32,dynamic,int8]", "evaluation.temperature_scaling=true"),
    *("test_time_augmentation=ten_crop", "tracking.system_metrics=false"),
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, mlflow.entities.Run]:
    folder = tmp_path_factory.mktemp("clips")
    done = processes.run("fer_exp", CLIPS, folder, environment_for(), 300)
    assert done.returncode == 0, done.stderr
    assert "M multiply-adds a clip" in done.stdout
    assert "predict a video" in done.stdout
    (run,) = runs_of(folder)
    return folder, run


def said(finished: tuple[Path, mlflow.entities.Run], command: str, *words: str) -> str:
    folder, run = finished
    done = processes.run(command, [run.info.run_id, *words], folder, environment_for(), 300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_run_says_what_it_takes_and_has_every_picture(finished: tuple[Path, mlflow.entities.Run]) -> None:
    folder, run = finished
    taken = json.loads(run.data.tags["inputs"])
    assert taken == {"clip": {"kind": "clip", "shape": [4, 24, 24, 1], "rate": 10.0}}
    figures = {path.name for path in next((folder / "outputs").glob("*/*/figures")).iterdir()}
    assert {"training_samples.png", "confidently_wrong.png", "exports.png", "reliability.png"} <= figures
    assert "grad_cam.png" not in figures


def test_its_files_name_their_input_and_answer_as_keras(finished: tuple[Path, mlflow.entities.Run]) -> None:
    folder, run = finished
    assert run.data.metrics["tflite/float32/agreement"] == 1
    for kind in ("float32", "dynamic", "int8"):
        assert run.data.metrics[f"tflite/{kind}/published"] == 1
    card = next((folder / "outputs").glob("*/*/tflite/model_card.md")).read_text()
    assert "clip: uint8 (4, 24, 24, 1), 0 to 255 -> float32 (13,)" in card
    assert "4 frames of 24 rows of 24 pixels of 1 byte (grey)" in card


def test_a_video_is_predicted_by_the_network_and_by_a_file(finished: tuple[Path, mlflow.entities.Run]) -> None:
    video = write_video(finished[0] / "film.mp4", frames=10)
    for file in ("keras", "float32", "int8"):
        text = said(finished, "fer_exp.predict", str(video), "--faces", "none", "--file", file, "--csv", f"{file}.csv")
        assert "4 in 4 frames" in text  # ten frames, clips of four that begin two apart
        rows = (finished[0] / f"{file}.csv").read_text().splitlines()
        assert [row.split(",")[2] for row in rows[1:]] == ["3", "5", "7", "9"]


def test_it_is_measured_on_its_own_data_and_on_larger_clips(finished: tuple[Path, mlflow.entities.Run]) -> None:
    own = said(finished, "fer_exp.evaluate")
    accuracy = client_of(finished[0]).get_run(finished[1].info.run_id).data.metrics["test/accuracy"]
    assert f"{accuracy:.4f}" in own
    size = ["dataset.kind=clip", "dataset.motion=half", "dataset.frames=4", "dataset.image_size=32"]
    small = ["dataset.train_size=26", "dataset.val_size=26", "dataset.test_size=26"]
    assert "clips of 4x32x32x1 were made 4x24x24x1" in said(finished, "fer_exp.evaluate", *size, *small)


def test_the_model_in_mlflow_takes_clips(finished: tuple[Path, mlflow.entities.Run]) -> None:
    import numpy as np

    mlflow.set_tracking_uri(f"sqlite:///{finished[0] / 'mlflow.db'}")
    (model,) = mlflow.search_logged_models([finished[1].info.experiment_id], output_format="list")
    loaded = mlflow.pyfunc.load_model(f"models:/{model.model_id}")
    answers = loaded.predict(np.zeros((2, 4, 24, 24, 1), np.uint8))
    np.testing.assert_allclose(np.sum(answers, axis=1), 1, rtol=1e-5)


def test_it_is_repeated_to_the_last_bit(finished: tuple[Path, mlflow.entities.Run]) -> None:
    words = [f"reproduce={finished[1].info.run_id}"]
    done = processes.run("fer_exp", words, finished[0], environment_for(), 300)
    assert done.returncode == 0, done.stderr
    assert "identical:" in done.stdout
