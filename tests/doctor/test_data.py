"""The doctor finds what was planted in a folder of images, and nothing in a sound one."""

import sys
from pathlib import Path

import doctor_cases
import mlflow
import numpy as np
import pandas as pd
import pytest

from fer_exp.doctor.__main__ import main


def examine(folder: Path, *arguments: str) -> int:
    """Runs the command line in a folder and returns its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["doctor", "data", *arguments])
        patch.setenv("FER_EXP_CACHE", str(folder / "cache"))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        with pytest.raises(SystemExit) as ended:
            main()
    return int(ended.value.code or 0)


def outputs(folder: Path) -> Path:
    (found,) = (folder / "outputs").iterdir()
    return found


@pytest.fixture(scope="module")
def examined(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A folder in which a faulty data set was examined and logged, and the exit code."""
    folder = tmp_path_factory.mktemp("examined")
    faces = doctor_cases.faulty(folder / "faces")
    return folder, examine(folder, *doctor_cases.overrides(faces))


@pytest.fixture(scope="module")
def findings(examined: tuple[Path, int]) -> pd.DataFrame:
    return pd.read_csv(outputs(examined[0]) / "findings.csv", keep_default_na=False)


def test_something_that_was_found_is_exit_code_one(examined: tuple[Path, int]) -> None:
    assert examined[1] == 1


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("unreadable", {"broken"}),
        ("blank", {"blank"}),
        ("dark", {"dark"}),
        ("bright", {"bright"}),
        ("low_contrast", {"flat"}),
        ("duplicate", {"copy_a", "copy_b", "torn_a", "torn_b", "torn_c", "seen_in_test", "seen_in_val"}),
        ("duplicate_conflict", {"torn_a", "torn_b", "torn_c"}),
        ("near_duplicate", {"near_a", "near_b"}),
        ("near_duplicate_conflict", set()),
        ("mirrored", {"mirror_a", "mirror_b"}),
        ("leak_test", {"seen_in_test"}),
        ("near_leak_test", {"near_b"}),
        ("leak_val", {"seen_in_val"}),
        ("near_leak_val", set()),
        ("counts", set()),
    ],
)
def test_each_planted_fault_is_found_and_nothing_else(findings: pd.DataFrame, kind: str, names: set[str]) -> None:
    assert {Path(name).stem for name in findings["name"][findings["kind"] == kind]} == names


def test_wrong_labels_are_found_with_the_right_ones(examined: tuple[Path, int]) -> None:
    suspects = pd.read_csv(outputs(examined[0]) / "suspected_label_errors.csv").set_index("name")
    wrong = {"train/happy/wrong_1.png": "angry", "train/happy/wrong_2.png": "sad", "test/happy/wrong_3.png": "sad"}
    found = suspects[suspects.index.isin(list(wrong))]
    assert len(found) >= 2  # one may be surer than most of its class: only such are suspected
    assert found["label"].to_dict() == {name: wrong[name] for name in found.index}
    assert set(found["given"]) == {"happy"}
    assert set(suspects.index) - set(wrong) <= {
        f"train/{name}.png" for name in ("happy/torn_a", "happy/torn_b", "sad/torn_c")
    }
    assert suspects["score"].is_monotonic_increasing


def test_what_may_be_left_out_is_listed_with_its_reason_and_never_of_test(examined: tuple[Path, int]) -> None:
    exclude = pd.read_csv(outputs(examined[0]) / "exclude.csv").set_index("name")["reason"]
    assert exclude.to_dict() == {
        "train/angry/copy_b.png": "equal to train/angry/copy_a.png (train, angry)",
        "train/happy/torn_b.png": "equal to train/happy/torn_a.png (train, happy)",
        "train/sad/torn_c.png": "equal to train/happy/torn_a.png (train, happy)",
        "train/sad/seen_in_test.png": "in test: test/sad/seen_in_test.png",
        "train/sad/seen_in_val.png": "in val: val/sad/seen_in_val.png",
        "train/angry/near_a.png": "nearly in test: test/angry/near_b.png",
        "train/sad/blank.png": "blank",
    }


def test_the_files_can_be_fed_back_and_leave_nothing_but_what_needs_a_look(
    examined: tuple[Path, int], tmp_path: Path
) -> None:
    found = outputs(examined[0])
    words = doctor_cases.overrides(examined[0] / "faces")
    words += [f"dataset.exclude={found / 'exclude.csv'}", f"dataset.relabel={found / 'relabel.csv'}"]
    assert examine(tmp_path, *words, "--no-log", "--only", "duplicates") == 1  # the mirrored ones
    kinds = set(pd.read_csv(outputs(tmp_path) / "findings.csv")["kind"])
    assert kinds == {"mirrored"}


def test_the_page_needs_nothing_else_and_shows_every_kind(examined: tuple[Path, int], findings: pd.DataFrame) -> None:
    page = (outputs(examined[0]) / "doctor.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert "src=" in page
    assert page.count('src="data:image/png;base64,') == page.count("src=")
    for kind in set(findings["kind"]):
        assert f'<section id="{kind}">' in page


def test_names_of_files_are_escaped(tmp_path: Path) -> None:
    faces = doctor_cases.sound(tmp_path / "faces")
    for name in ("<b>one", "<b>two"):
        doctor_cases.save(doctor_cases.face(0, 77), faces, f"train/angry/{name}.png")
    assert examine(tmp_path, *doctor_cases.overrides(faces), "--no-log", "--only", "duplicates") == 1
    page = (outputs(tmp_path) / "doctor.html").read_text(encoding="utf-8")
    assert "<b>one" not in page
    assert "&lt;b&gt;one" in page


def test_what_was_found_is_logged_to_an_experiment_of_its_own(examined: tuple[Path, int]) -> None:
    client = mlflow.MlflowClient(f"sqlite:///{examined[0] / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("doctor")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.metrics["doctor/mirrored"] == 2
    assert run.data.params["dataset.image_size"] == "48"
    names = {Path(file.path).name for file in client.list_artifacts(run.info.run_id, "doctor")}
    assert {"doctor.html", "findings.csv", "exclude.csv", "relabel.csv", "label_error.png", "samples.png"} <= names


def test_a_sound_data_set_has_no_findings_and_nothing_is_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faces = doctor_cases.sound(tmp_path / "faces")
    assert examine(tmp_path, *doctor_cases.overrides(faces), "--no-log") == 0
    shown = capsys.readouterr().out
    assert "nothing" in shown
    assert "predicting every image from the others:" in shown  # what took how long
    assert not (tmp_path / "mlflow.db").exists()
    assert "Nothing was found." in (outputs(tmp_path) / "doctor.html").read_text(encoding="utf-8")
    assert len(pd.read_csv(outputs(tmp_path) / "findings.csv")) == 0


def test_a_section_that_does_not_exist_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert examine(tmp_path, "dataset=synthetic", "--only", "labels", "lables") == 2
    message = "error: `--only` must name sections among counts, pixels, duplicates, votes, labels. Received: lables."
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_votes_without_a_file_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert examine(tmp_path, "dataset=synthetic", "--only", "votes") == 2
    assert "`--only votes` needs a file of votes: --votes fer2013new.csv." in capsys.readouterr().err


def test_damaged_images_are_all_listed_without_being_told_to_skip_them(tmp_path: Path) -> None:
    faces = doctor_cases.sound(tmp_path / "faces")
    for number in range(40):
        (faces / f"train/sad/broken_{number:02d}.png").write_bytes(b"no image")
    words = [word for word in doctor_cases.overrides(faces) if "on_bad_image" not in word]
    assert examine(tmp_path, *words, "--no-log", "--only", "pixels") == 1
    found = pd.read_csv(outputs(tmp_path) / "findings.csv")
    assert found["name"].tolist() == [f"train/sad/broken_{number:02d}.png" for number in range(40)]
    assert "The first 30; all are in findings.csv" in (outputs(tmp_path) / "doctor.html").read_text(encoding="utf-8")


def test_damaged_images_stop_the_examination_if_the_command_line_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faces = doctor_cases.sound(tmp_path / "faces")
    (faces / "train/sad/broken.png").write_bytes(b"no image")
    words = [word.replace("skip", "error") for word in doctor_cases.overrides(faces)]
    assert examine(tmp_path, *words, "--no-log", "--only", "pixels") == 2
    assert "broken.png" in capsys.readouterr().err
    assert not (tmp_path / "outputs").exists()


COLUMNS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
OF_FER2013 = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")  # in the order of its codes


def fer2013(folder: Path) -> list[str]:
    """Writes a csv of FER2013 with malformed rows, and the votes on it; returns the words for the first."""
    draw, faces, votes = np.random.default_rng(0), ["emotion,pixels,Usage"], ["Usage,Image name," + ",".join(COLUMNS)]
    for usage, count in (("Training", 140), ("PublicTest", 14), ("PrivateTest", 14)):
        for row in range(count):
            pixels = " ".join(map(str, draw.integers(40, 200, 2304)))
            faces.append(f"{row % 7},{'spoiled' if usage == 'Training' and row < 9 else pixels},{usage}")
            counts = {"NF": 10} if usage == "Training" and row in (20, 21) else {OF_FER2013[row % 7]: 10}
            votes.append(f"{usage},," + ",".join(str(counts.get(name, 0)) for name in COLUMNS))
    (folder / "fer2013.csv").write_text("\n".join(faces))
    (folder / "fer2013new.csv").write_text("\n".join(votes))
    return ["dataset=fer2013", f"dataset.path={folder / 'fer2013.csv'}", "--no-log"]


def test_every_malformed_row_is_listed_with_its_fault(tmp_path: Path) -> None:
    assert examine(tmp_path, *fer2013(tmp_path), "--only", "pixels") == 1
    found = pd.read_csv(outputs(tmp_path) / "findings.csv")
    assert found["name"].tolist() == [f"line {line}" for line in range(2, 11)]
    assert set(found["detail"]) == {"expected 2304 pixels (48x48), found 1"}


def test_a_small_copy_is_told_and_the_page_says_what_it_should_have(tmp_path: Path) -> None:
    assert examine(tmp_path, *fer2013(tmp_path), "--only", "counts") == 1
    found = pd.read_csv(outputs(tmp_path) / "findings.csv").set_index("name")["detail"]
    assert found["PrivateTest, disgust"] == "2 images, published are 55"
    page = (outputs(tmp_path) / "doctor.html").read_text(encoding="utf-8")
    assert '<th scope="col">official PrivateTest</th>' in page
    assert "<td>28,709</td>" in page


def test_votes_moved_on_by_a_row_are_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, votes = fer2013(tmp_path), tmp_path / "fer2013new.csv"
    assert examine(tmp_path, *words, "--votes", str(votes), "--only", "votes") == 1
    assert set(pd.read_csv(outputs(tmp_path) / "exclude.csv")["name"]) == {"row 20", "row 21"}
    lines = votes.read_text().splitlines()
    votes.write_text("\n".join([lines[0], *lines[2:141], lines[1], *lines[141:]]))
    assert examine(tmp_path, *words, "--votes", str(votes), "--only", "votes") > 1
    assert "`--votes` must have its lines in the order of the rows of `dataset.path`" in capsys.readouterr().err
    assert len(list((tmp_path / "outputs").iterdir())) == 1


def test_ferplus_brings_its_votes_and_what_it_dropped_is_told(tmp_path: Path) -> None:
    _, path, log = fer2013(tmp_path)
    votes = f"dataset.votes={tmp_path / 'fer2013new.csv'}"
    assert examine(tmp_path, "dataset=ferplus", path, votes, "dataset.classes=7", log, "--only", "votes") == 1
    found = pd.read_csv(outputs(tmp_path) / "findings.csv")
    assert found[["name", "kind", "detail"]].to_numpy().tolist() == [
        ["train", "dropped_by_votes", "not a face: 2 images"]
    ]


def test_a_mistaken_override_and_a_missing_folder_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert examine(tmp_path, "dataset.pth=x") == 2
    assert "dataset.pth" in capsys.readouterr().err
    assert examine(tmp_path, "dataset=image_folder", "dataset.path=nowhere") == 2
    assert "`dataset.path` must be an existing" in capsys.readouterr().err
    assert not (tmp_path / "outputs").exists()


def test_data_without_names_are_examined_and_the_reader_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ("dataset=synthetic", "dataset.train_size=70", "dataset.val_size=14", "dataset.test_size=14")
    examine(tmp_path, *small, "--no-log", "--only", "pixels")
    assert "what is found cannot be fed back" in capsys.readouterr().out.replace("\n", " ")


def test_the_options_of_runs_and_data_are_explained(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert examine(tmp_path, "--help") == 0
    shown = capsys.readouterr().out
    assert "--mark-killed" in shown
    assert "--votes" in shown
