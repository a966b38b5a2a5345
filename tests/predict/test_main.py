"""The command from its words to what it shows and writes; what cannot be read is told and the rest is done."""

import csv
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import processes
import pytest
from answers import NAMES, answered, right
from conftest import environment_for
from drawn_faces import flat, found_faces, photo
from made_exif import exif
from made_run import SHAPE, make_run, tracker_of, write_tflite
from PIL import Image
from rich.console import Console

from fer_exp.data import image_files
from fer_exp.errors import ConfigError, ModelError, StorageError, UserError
from fer_exp.predict import __main__ as program
from fer_exp.predict import annotated, predicting, sources, videos

Predict = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tflite(tmp_path_factory.mktemp("model"))


@pytest.fixture
def predict(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Predict:
    """Runs the command in an empty folder; returns the number of failures and what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str, of: str = str(model)) -> tuple[int, str]:
        screen = Console(record=True, width=160)
        failed = predicting.run(program._parser().parse_intermixed_args([of, *words]), screen)
        return failed, screen.export_text()

    return run


def test_photos_of_browsers_and_telephones_are_read_and_what_is_left_out_is_said(
    predict: Predict, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    flat(10).save(tmp_path / "photos" / "a.jfif", "JPEG", exif=exif(6, struct.pack(">ii", -1, 0)))
    flat(240).save(tmp_path / "photos" / "b.tiff")
    (tmp_path / "photos" / "c.heic").touch()
    (tmp_path / "IMG_1.jpg").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    failed, text = predict("photos", "IMG_1.jpg", "--faces", "none", "--csv", "out.csv", "--json", "out.json")
    assert [row["prediction"] for row in rows_of(tmp_path / "out.csv")] == ["angry", "sad"]
    assert "note: photos: left out are 1 .heic (install pillow-heif to read them)" in text
    assert failed == 1
    assert json.loads((tmp_path / "out.json").read_text())["failed"] == [
        {
            "input": "IMG_1.jpg",
            "error": "it is no image that can be read: cannot identify image file: to read such pictures, install "
            "pillow-heif",
        }
    ]


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.open(newline="")))


def test_crops_get_the_class_of_their_brightness_in_every_output(predict: Predict, tmp_path: Path) -> None:
    (tmp_path / "crops").mkdir()
    for name, value in (("a", 10), ("b", 128), ("c", 240)):
        flat(value).save(tmp_path / "crops" / f"{name}.png")
    failed, text = predict("crops", "--faces", "none", "--csv", "out.csv", "--json", "out.json", "--top", "2")
    assert failed == 0
    assert "crops/b.png" in text
    assert "3 images, 3 faces" in text
    assert "images/s" in text
    rows = rows_of(tmp_path / "out.csv")
    assert [(row["input"], row["prediction"]) for row in rows] == [
        ("crops/a.png", "angry"), ("crops/b.png", "happy"), ("crops/c.png", "sad"),
    ]  # fmt: skip
    assert [sum(float(row[f"p_{name}"]) for name in NAMES) for row in rows] == pytest.approx([1, 1, 1], abs=1e-5)
    found = json.loads((tmp_path / "out.json").read_text())
    assert (found["classes"], found["faces"], found["failed"]) == (list(NAMES), "none", [])
    (face,) = found["predictions"][1]["faces"]
    assert (face["box"], face["prediction"]) == (None, "happy")
    assert face["top"][0]["class"] == "happy"
    assert len(face["top"]) == 2


def test_faces_in_photos_are_found_drawn_and_told_apart_from_pictures_without(predict: Predict, tmp_path: Path) -> None:
    photo(*found_faces()).save(tmp_path / "two.jpg", quality=95)
    flat(90, (200, 300)).save(tmp_path / "none.png")
    flat(90, (24, 24)).save(tmp_path / "crop.png")
    failed, text = predict("two.jpg", "none.png", "crop.png", "--csv", "out.csv", "--annotated", "seen")
    assert failed == 0
    assert "no face found in 1: none.png. Are they faces already? Then: --faces none" in text
    assert "1 image is no larger than what the model takes, and was taken for a face" in text
    rows = rows_of(tmp_path / "out.csv")
    assert [(row["input"], row["face"]) for row in rows] == [
        ("two.jpg", "1"), ("two.jpg", "2"), ("none.png", ""), ("crop.png", "1"),
    ]  # fmt: skip
    assert (rows[2]["prediction"], rows[3]["x"]) == ("", "")
    with Image.open(tmp_path / "seen" / "two.png") as drawn:
        x, y, width = (int(rows[0][key]) for key in ("x", "y", "width"))
        assert drawn.size == (600, 300)
        assert drawn.getpixel((x, y + width // 2)) == (255, 196, 0)
    with Image.open(tmp_path / "seen" / "crop.png") as drawn:
        assert min(drawn.size) >= 240


def test_a_video_is_predicted_frame_by_frame_and_drawn_whole(predict: Predict, tmp_path: Path) -> None:
    writer = videos.Writer(tmp_path / "film.mp4", 10, (400, 300))
    for _ in range(6):
        writer.add(photo(found_faces()[0]))
    writer.close()
    failed, _ = predict("film.mp4", "--every", "3", "--csv", "out.csv", "--json", "out.json", "--annotated", "seen")
    assert failed == 0
    assert [(row["frame"], row["seconds"], row["face"]) for row in rows_of(tmp_path / "out.csv")] == [
        ("0", "0.0", "1"), ("3", "0.3", "1"),
    ]  # fmt: skip
    frames = list(videos.frames(tmp_path / "seen" / "film.mp4", 1))
    assert len(frames) == 6
    box = json.loads((tmp_path / "out.json").read_text())["predictions"][1]["faces"][0]["box"]
    edge = frames[4].pixels[box["y"] + box["height"] // 2, box["x"]].astype(int)
    assert edge[0] - edge[2] > 100  # yellow, on the grey of the photo, also between the frames that were looked at


def test_rows_of_a_table_are_faces_whatever_the_model_takes(predict: Predict, tmp_path: Path) -> None:
    lines = [" ".join([str(value)] * 2304) for value in (0, 250)]
    (tmp_path / "a.csv").write_text("pixels\n" + "\n".join(lines) + "\n")
    failed, _ = predict("a.csv", "--csv", "out.csv", "--annotated", "seen")
    assert failed == 0
    assert [(row["row"], row["prediction"]) for row in rows_of(tmp_path / "out.csv")] == [("0", "angry"), ("1", "sad")]
    assert sorted(path.name for path in (tmp_path / "seen").glob("[!.]*")) == ["a-row0.png", "a-row1.png"]


def test_files_of_the_same_name_are_drawn_into_files_of_their_own(predict: Predict, tmp_path: Path) -> None:
    for name in ("one/a.png", "two/a.png", "two/a.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        flat(50).save(tmp_path / name)
    predict("one/a.png", "two/a.png", "two/a.jpg", "--faces", "none", "--annotated", "seen")
    assert sorted(path.name for path in (tmp_path / "seen").glob("[!.]*")) == ["a-2.png", "a-3.png", "a.png"]


def test_what_cannot_be_read_is_told_and_the_rest_is_done(
    predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    flat(10).save(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_bytes(b"no image")
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "c.png").write_bytes(whole[: len(whole) // 2])
    flat(10, (60, 90)).save(tmp_path / "d.png")
    monkeypatch.setattr(image_files.Image, "MAX_IMAGE_PIXELS", 60 * 80)
    failed, text = predict(".", "--faces", "none", "--csv", "out.csv", "--json", "out.json")
    told = capsys.readouterr().err.splitlines()
    assert failed == 3
    assert "1 image, 1 face," in text
    assert told[0].startswith("error: b.jpg: it is no image that can be read: cannot identify image file")
    assert told[1].startswith("error: c.png: it is no image that can be read: ")
    assert told[2] == "error: d.png: it is no image that can be read: 90x60 pixels are more than 4,800"
    failures = json.loads((tmp_path / "out.json").read_text())["failed"]
    assert [entry["input"] for entry in failures] == ["b.jpg", "c.png", "d.png"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["a.png", "--every", "0"], "`--every` must be at least 1. Received: 0."),
        (["a.png", "--top", "0"], "`--top` must be at least 1. Received: 0."),
        (["a.png", "--csv", "no/out.csv"], "`--csv` must be a file in an existing folder. Received: no/out.csv."),
        (["a.png", "--json", "a.png"], "`--json` must not be the model or an input. Received: a.png."),
        (["a.png", "--csv", "x", "--json", "./x"], "`--csv` and `--json` must be two files. Received: x for both."),
        ([".", "--csv", "a.png"], "`--csv` must not be an input. Received: a.png."),
        (["a.png", "--annotated", "."], "must be a folder without inputs. Received: ., which holds a.png."),
        (["a.png", "--annotated", "a.png"], "`--annotated` must be a folder. Received: a.png."),
        (["lr=1"], "`inputs` must name images, folders, CSV files or videos. Received: none."),
        (["nothing.png"], "`inputs` must exist. Received: nothing.png."),
        (["a.png", "--file", "int8"], "`--file` goes with a run or a registered model. Received: --file int8 and "),
        (["a.png", "lr=x"], "`lr` must be"),
    ],
)  # fmt: skip
def test_mistakes_are_told_before_anything_is_written(
    predict: Predict, tmp_path: Path, words: list[str], told: str
) -> None:
    flat(10).save(tmp_path / "a.png")
    with pytest.raises(UserError) as caught:
        predict(*words)
    assert told in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_file_of_predictions_does_not_take_the_place_of_the_model(predict: Predict, tmp_path: Path) -> None:
    flat(10).save(tmp_path / "a.png")
    (tmp_path / "kept.tflite").write_bytes(b"model")
    with pytest.raises(ConfigError, match=r"`--csv` must not be the model or an input\. Received: kept\.tflite\."):
        predict("a.png", "--csv", "kept.tflite", of="kept.tflite")
    assert (tmp_path / "kept.tflite").read_bytes() == b"model"


@pytest.mark.parametrize("word", ["models:/a", "models:/a@b/c", "model.keras", "a/b", "x" * 300])
def test_words_that_can_be_no_model_are_told(predict: Predict, tmp_path: Path, word: str) -> None:
    flat(10).save(tmp_path / "a.png")
    with pytest.raises(ConfigError) as caught:
        predict("a.png", of=word)
    assert "`model` must be the id of a run (32 hex digits, or the first 8), models:/name@alias, models:" in str(
        caught.value
    )


def test_a_damaged_model_is_told(predict: Predict, tmp_path: Path) -> None:
    flat(10).save(tmp_path / "a.png")
    (tmp_path / "bad.tflite").write_bytes(b"\x1c\0\0\0TFL3" + b"\xff" * 500)
    with pytest.raises(ModelError, match="bad.tflite is"):
        predict("a.png", of="bad.tflite")


def test_a_run_and_a_registered_model_and_its_files_all_answer(predict: Predict, tmp_path: Path) -> None:
    from fer_exp.record import registry

    tracker = tracker_of(tmp_path)
    run_id = make_run(tracker, tmp_path / "outputs" / "r", answered(right(0.5, 0)), with_file=True)
    registry.register(tracker, "fer", run_id)
    flat(128).save(tmp_path / "a.png")
    for of, more in ((run_id, []), ("fer", []), ("models:/fer@champion", []), ("models:/fer/1", ["--file", "float32"])):
        _, text = predict("a.png", "--faces", "none", "--csv", "out.csv", *more, of=of)
        (row,) = rows_of(tmp_path / "out.csv")
        assert row["prediction"] == "happy"
        assert f"{'float32.tflite of ' if more else ''}run {run_id} (made): 3 classes, takes 24x24x1" in text
    with pytest.raises(ModelError, match=r"`--file` must be keras or one that the run has published: float32\."):
        predict("a.png", "--file", "int8", of=run_id)
    withheld = {"tflite/int8/published": 0.0, "tflite/dynamic/published": 1.0}
    tracker.log_summary(run_id, {"withheld": "int8: it loses 2 points"}, withheld)
    with pytest.raises(ModelError, match=r"published: dynamic, float32\..* withheld by .*: int8: it loses 2 points"):
        predict("a.png", "--file", "int8", of=run_id)
    with pytest.raises(ModelError, match=r"published: float32\. .* is no longer among the artifacts of the run"):
        predict("a.png", "--file", "dynamic", of=run_id)
    with pytest.raises(ConfigError, match=f"must be a run in sqlite.* Received: {'0' * 32}, which is not there"):
        predict("a.png", of="0" * 32)
    with tracker.run("bare", {}, {}, folder=tmp_path / "bare") as bare:
        pass
    with pytest.raises(
        ModelError, match=r"`model` must have recorded model/model.keras, and has not. Received: .* is FINISHED"
    ):
        predict("a.png", of=bare.run_id)
    with tracker.parent("sweep", {"sweep": "seed", "best_child": run_id}) as parent:
        pass
    with pytest.raises(ModelError, match=f"not a sweep. Received: .*; the best run of that sweep is {run_id}"):
        predict("a.png", of=parent.run_id)


def test_a_keras_file_with_code_in_it_is_refused(predict: Predict, tmp_path: Path) -> None:
    import keras

    tracker, folder = tracker_of(tmp_path), tmp_path / "outputs" / "r"
    run_id = make_run(tracker, folder, answered(right(0.5, 0)))
    inputs = keras.Input(SHAPE)
    evil = keras.Model(inputs, keras.layers.Lambda(lambda x: x[:, 0, 0, :] * 0)(inputs))
    evil.save(folder / "model" / "model.keras")
    tracker.add_folder(run_id, folder / "model", "model")
    flat(128).save(tmp_path / "a.png")
    with pytest.raises(ModelError, match="loads without running code; Keras says: .*[Ll]ambda.* Received: run"):
        predict("a.png", of=run_id)


def test_many_files_are_read_side_by_side_and_in_order(predict: Predict, tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    values = np.random.default_rng(0).integers(0, 256, 700)
    for number, value in enumerate(values.tolist()):
        flat(value, (20, 20)).save(tmp_path / "many" / f"{number:03}.bmp")
    predict("many", "--csv", "out.csv")
    rows = rows_of(tmp_path / "out.csv")
    assert [row["input"] for row in rows] == [f"many/{number:03}.bmp" for number in range(700)]
    expected = [NAMES[int(value > 85) + int(value > 170)] for value in values]
    assert np.mean([row["prediction"] == name for row, name in zip(rows, expected, strict=True)]) > 0.99


def test_the_program_exits_with_what_it_says(model: Path, tmp_path: Path) -> None:
    flat(10).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no image")

    def exit_code(*words: str) -> int:
        done = processes.run("fer_exp.predict", [str(model), *words], tmp_path, environment_for())
        assert "Traceback" not in done.stderr
        return done.returncode

    assert exit_code("a.png") == 0
    assert exit_code("a.png", "b.png") == 1
    assert exit_code("nothing.png") == 2


def test_names_that_would_steer_a_terminal_are_shown_harmless(predict: Predict, tmp_path: Path) -> None:
    flat(10).save(tmp_path / "a\x1b[2J[red].png")
    _, text = predict(".", "--faces", "none")
    assert "\x1b[2J" not in text
    assert "[red].png" in text


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(folder: Path) -> list[Path]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(sources, "_below", locked)
    with pytest.raises(ConfigError, match=f"`inputs` must be readable: Permission denied. Received: {tmp_path}"):
        sources.find([str(tmp_path)])


@pytest.mark.parametrize("option", ["--csv", "--json"])
def test_a_pipe_or_a_device_is_no_file_to_write(predict: Predict, tmp_path: Path, option: str) -> None:
    os.mkfifo(tmp_path / "out")
    flat(10).save(tmp_path / "a.png")
    for path in ("out", "/dev/null"):
        with pytest.raises(ConfigError, match=f"`{option}` must be a file, not a device or a pipe"):
            predict("a.png", option, path)
    assert (tmp_path / "out").is_fifo()
    assert Path("/dev/null").is_char_device()


def test_a_link_to_a_file_stays_one_and_leads_to_what_is_written(predict: Predict, tmp_path: Path) -> None:
    flat(10).save(tmp_path / "a.png")
    (tmp_path / "there.csv").write_text("old")
    (tmp_path / "out.csv").symlink_to(tmp_path / "there.csv")
    predict("a.png", "--csv", "out.csv")
    assert (tmp_path / "out.csv").is_symlink()
    assert len(rows_of(tmp_path / "there.csv")) == 1


def test_no_name_is_a_formula_in_the_csv(predict: Predict, tmp_path: Path) -> None:
    names = ["=cmd.png", "+1.png", "@a.png", "b=c.png"]
    for name in names:
        flat(10).save(tmp_path / name)
    predict(*names, "--csv", "out.csv")
    cells = [row["input"] for row in rows_of(tmp_path / "out.csv")]
    assert cells == ["'=cmd.png", "'+1.png", "'@a.png", "b=c.png"]


def test_annotated_replaces_what_it_has_written_and_nothing_else(predict: Predict, tmp_path: Path) -> None:
    for name in ("a", "b"):
        flat(10).save(tmp_path / f"{name}.jpg")
    predict("a.jpg", "--annotated", "seen")
    before = (tmp_path / "seen" / "a.png").read_bytes()
    predict("a.jpg", "--annotated", "seen")
    assert (tmp_path / "seen" / "a.png").read_bytes() == before
    (tmp_path / "seen" / "b.png").write_bytes(b"mine")
    with pytest.raises(ConfigError, match=r"must not replace files that it has not written. Received: seen, .* b.png"):
        predict("a.jpg", "b.jpg", "--annotated", "seen", "--csv", "out.csv")
    assert (tmp_path / "seen" / "b.png").read_bytes() == b"mine"
    assert not (tmp_path / "out.csv").exists(), "nothing is half done"


def test_a_video_takes_one_line_of_the_table_and_leaves_room_for_pictures(predict: Predict, tmp_path: Path) -> None:
    film = videos.Writer(tmp_path / "a film.mp4", 10, (64, 48))
    for _ in range(60):
        film.add(flat(240, (48, 64)).convert("RGB"))
    film.close()
    flat(10).save(tmp_path / "photo.png")
    _, text = predict("a film.mp4", "photo.png", "--faces", "none", "--csv", "out.csv")
    (line,) = [line for line in text.splitlines() if "a film.mp4" in line]
    assert "60 in 60 frames" in line
    assert "sad" in line
    assert "mean 100.0%" in line
    assert "photo.png" in text
    assert "more: --csv" not in text
    assert len(rows_of(tmp_path / "out.csv")) == 61


def test_the_file_that_is_equal_to_the_network_is_taken_unless_another_is_asked_for(
    predict: Predict, tmp_path: Path
) -> None:
    tracker = tracker_of(tmp_path)
    flat(10).save(tmp_path / "a.png")
    evaluation = answered(right(0.9, 0))
    equal, other = (
        make_run(tracker, tmp_path / name, evaluation, with_file=True, data_drawn="by a program") for name in "ab"
    )
    tracker.log_summary(equal, {}, {"tflite/float32/agreement": 1.0, "tflite/float32/published": 1.0})
    tracker.log_summary(other, {}, {"tflite/float32/agreement": 0.999, "tflite/float32/published": 1.0})
    _, text = predict("a.png", of=equal[:8])
    assert f"float32.tflite of run {equal}" in text
    assert "note: this model has seen drawn faces only" in text
    _, text = predict("a.png", "--file", "keras", of=equal)
    assert ".tflite" not in text
    _, text = predict("a.png", of=other)
    assert ".tflite" not in text


def test_a_picture_that_is_changed_before_it_is_drawn_is_named(
    predict: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    flat(10).save(path)
    write = annotated.write

    def change(*arguments: Any) -> int:
        path.write_bytes(b"no image")
        return write(*arguments)

    monkeypatch.setattr(annotated, "write", change)
    with pytest.raises(StorageError, match=r"a\.png was changed after it was predicted, .*cannot identify image file"):
        predict("a.png", "--faces", "none", "--annotated", "seen")
