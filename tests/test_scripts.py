"""The scripts do what their first lines say."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cleaning
import compression_studies
import find_faces
import numpy as np
import pandas as pd
import pytest
import time_to_accuracy
from claims import class_table
from conftest import ROOT
from contracts import compose, node
from document import replace_section
from drawn_faces import found_faces
from PIL import Image
from studies import STUDIES

from fer_exp.data.emotions import EMOTIONS
from fer_exp.data.faces.search import Box
from fer_exp.options import config


def script(name: str, *arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "scripts" / name), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_the_results_table_shows_each_finished_run_with_its_command(tmp_path: Path) -> None:
    tracker = config.build(node("tracking", "mlflow", uri=f"sqlite:///{tmp_path / 'mlflow.db'}", system_metrics=False))
    params = {"model._target_": "fer_exp.model.cnn.build"}
    with tracker.run("one", params, {"overrides": "lr=1e-4", "parameters": 1234, "multiply_adds": 5_600_000}) as run:
        run.log_metrics(
            {f"test/{name}{end}": 0.5 for name in ("accuracy", "macro_f1") for end in ("", "_low", "_high")}
        )
        run.log_metrics({"tflite/float32/size_mb": 2.0})
    with tracker.run("unfinished", {}, {"overrides": "lr=1"}):
        pass
    done = script("results_table.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- results -->\nold\n<!-- end of results -->\nafter\n")
    written = script("results_table.py", "--document", str(page), cwd=tmp_path)
    assert page.read_text() == f"before\n<!-- results -->\n{written.stdout}<!-- end of results -->\nafter\n"
    (line,) = [line for line in done.stdout.splitlines() if "lr=" in line]
    assert line.startswith(
        "| cnn | `lr=1e-4` | 1,234 | 5.6 M | 0 | 50.0 % (50.0-50.0) | 50.0 % (50.0-50.0) | 2.00 / - / - |"
    )


def test_an_experiment_that_does_not_exist_is_named(tmp_path: Path) -> None:
    done = script("results_table.py", "--experiment", "nope", cwd=tmp_path)
    assert done.returncode == 2
    assert "Received: nope." in done.stderr


def test_the_readme_picture_is_two_pictures_side_by_side(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    for name, width in (("training_samples", 640), ("confusion_matrix_normalized", 1280)):
        Image.fromarray(np.zeros((640, width, 3), np.uint8)).save(tmp_path / "figures" / f"{name}.png")
    done = script("readme_picture.py", str(tmp_path), str(tmp_path / "out.png"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.size == (1920, 640)
    assert script("readme_picture.py", str(tmp_path / "no"), "out.png", cwd=tmp_path).returncode == 2


def test_a_document_without_a_place_for_the_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("nothing\n")
    with pytest.raises(SystemExit, match="must hold the comments <!-- cnn --> and <!-- end of cnn -->"):
        replace_section(tmp_path / "page.md", "cnn", "table")
    assert (tmp_path / "page.md").read_text() == "nothing\n"


@pytest.mark.parametrize("page", ["claims", "compression"])
def test_every_measurement_has_a_place_in_its_document(page: str) -> None:
    of_articles = {name: study.document for name, study in STUDIES.items()}
    for name in {"claims": STUDIES, "compression": compression_studies.STUDIES}[page]:
        document = of_articles[name] if page == "claims" else f"{page}.md"
        text = (ROOT / "docs" / document).read_text()
        assert text.index(f"<!-- {name} -->") < text.index(f"<!-- end of {name} -->")


@pytest.mark.parametrize("name", list(STUDIES))
def test_the_variants_of_a_study_are_configurations_that_differ(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    study = STUDIES[name].with_weights(str(tmp_path / "file"))
    data = ["dataset=fer2013", f"dataset.path={tmp_path / 'file'}", "dataset.val=0.1", "dataset.test=PublicTest"]
    composed = [compose(*study.overrides(variant, data, 0)) for variant in study.variants]
    for values in composed:
        config.check(values)
    assert len({str(values) for values in composed}) == len(composed)


def test_claims_are_judged_by_paired_differences_of_finished_runs(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    tracker = config.build(node("tracking", "mlflow", uri=uri, experiment="claims", system_metrics=False))
    data = ["dataset=fer2013", "dataset.path=x.csv", "dataset.val=0.1", "dataset.test=PublicTest"]
    accuracy = {"without": [0.50, 0.60, 0.70], "auto": [0.52, 0.62, 0.73]}  # +2, +2, +3 points
    for variant, of_seeds in accuracy.items():
        for seed, value in enumerate(of_seeds):
            tags = {
                "overrides": " ".join([*STUDIES["class_weights"].overrides(variant, data, seed), f"tracking.uri={uri}"])
            }
            with tracker.run("one", {}, tags) as tracked:
                metrics = {"test/accuracy": value, "test/macro_f1": 0.4}
                tracked.log_metrics(metrics | {f"test/recall/{name}": 0.25 for name in EMOTIONS})
    page = tmp_path / "claims.md"
    page.write_text("<!-- class_weights -->\n<!-- end of class_weights -->\n")
    arguments = ["--only", "class_weights", "--data", "x.csv", "--document", str(page), "--uri", uri]
    done = script("claims.py", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""  # nothing was missing, so nothing was run
    # Student's t with 2 degrees of freedom, 4.303, times the standard error 1 / 3 of +2, +2, +3.
    assert "auto is better than without by 2.3 points (± 1.4)." in page.read_text()
    assert "| 60.0 ± 24.8 | 40.0 ± 0.0 |" in page.read_text()
    assert "| recall angry |" in page.read_text()
    missing = script("claims.py", *arguments, "--seeds", "4", "--list", cwd=tmp_path)
    assert [line.split()[-1] for line in missing.stdout.splitlines()] == ["seed=3", "seed=3"]


def test_a_table_of_classes_marks_what_differs_in_every_pair() -> None:
    def runs(*values: float) -> list[Any]:
        numbers = [{f"test/f1/{name}": value if name == "fear" else 0.5 for name in EMOTIONS} for value in values]
        return [SimpleNamespace(data=SimpleNamespace(metrics=of_seed)) for of_seed in numbers]

    found = {"plain": runs(0.1, 0.3, 0.5), "better": runs(0.2, 0.4, 0.61), "as good": runs(0.3, 0.2, 0.5)}
    lines = class_table(found, "f1").splitlines()
    assert lines[0].startswith("| F1, % | angry | disgust | fear |")
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]
    assert [row[0] for row in cells] == ["plain", "better", "as good"]
    assert [row[3] for row in cells] == ["30.0 ± 49.7", "**40.3 ± 50.9**", "33.3 ± 37.9"]
    assert {cell for row in cells for cell in (*row[1:3], *row[4:])} == {"50.0 ± 0.0"}


def test_cleaning_compares_the_data_as_they_are_with_both_corrections(tmp_path: Path) -> None:
    found = tmp_path / "found"
    found.mkdir()
    arguments = ["--found", str(found), "--data", "x.csv", "--uri", f"sqlite:///{tmp_path / 'none.db'}", "--list"]
    refused = script("cleaning.py", *arguments, cwd=tmp_path)
    assert refused.returncode == 2
    told = f"--found must hold exclude.csv, relabel.csv, findings.csv. Received: {found} without exclude.csv."
    assert told in refused.stderr
    for name in ("exclude.csv", "relabel.csv", "findings.csv"):
        (found / name).touch()
    listed = script("cleaning.py", *arguments, "--seeds", "2", cwd=tmp_path)
    assert listed.returncode == 0, listed.stderr
    lines = listed.stdout.splitlines()
    assert [("dataset.exclude=" in line, "dataset.relabel=" in line) for line in lines] == [
        (False, False), (True, False), (True, True)] * 2  # fmt: skip
    assert [line.split()[-1] for line in lines] == ["seed=0"] * 3 + ["seed=1"] * 3
    text = (ROOT / "docs" / "fer2013_audit.md").read_text()
    assert text.index("<!-- cleaning -->") < text.index("<!-- end of cleaning -->")


def test_cleaning_tells_leaked_test_images_from_the_others(tmp_path: Path) -> None:
    findings = tmp_path / "findings.csv"
    findings.write_text(
        "name,split,label,kind,detail\nb,test,sad,leak_test,as x\nc,test,sad,dark,\nd,test,sad,near_leak_test,as y\n"
    )
    seen = cleaning.leaked(findings, ["a", "b", "c", "d"])
    assert seen.tolist() == [False, True, False, True]
    plain = [np.array([True, True, False, True]), np.array([False, True, True, True])]
    without = [np.array([True, False, False, True]), np.array([False, True, True, False])]
    lines = cleaning.apart({"plain": plain, "without": without}, seen).splitlines()
    assert lines[0].startswith("| test accuracy | leaked: 2 images | leaked, minus plain | others: 2 images | others,")
    assert lines[2] == "| plain | 100.0 ± 0.0 |  | 50.0 ± 0.0 |  |"
    assert lines[3] == "| without | 50.0 ± 0.0 | -50.0 ± 0.0 | 50.0 ± 0.0 | +0.0 ± 0.0 |"
    with pytest.raises(SystemExit, match="must be of the same data. Received: d, which is no test image"):
        cleaning.leaked(findings, np.array(["a", "b", "c"]))


def test_faces_are_looked_for_where_they_were_put(tmp_path: Path) -> None:
    face = np.asarray(found_faces(1)[0].convert("L"))
    upright = find_faces.measure([face] * 4, 0)
    assert upright["faces found"] == "100 %"
    empty = find_faces.measure([np.full((48, 48), 90, np.uint8)] * 2, 0)
    assert list(empty.values()) == ["0°", "0 %", "0.0", "-"]
    assert find_faces.overlap(Box(0, 0, 10, 10), Box(5, 0, 10, 10)) == pytest.approx(1 / 3)
    assert find_faces.overlap(Box(0, 0, 10, 10), Box(20, 20, 10, 10)) == 0
    refused = script("find_faces.py", "--images", "0", cwd=tmp_path)
    assert refused.returncode == 2
    assert "--images must be at least 1. Received: 0." in refused.stderr


def test_the_picture_of_an_audit_is_drawn_from_the_files_of_the_doctor(tmp_path: Path) -> None:
    (tmp_path / "findings.csv").write_text("name,split,label,kind,detail\na,train,sad,duplicate,as b\n")
    refused = script("audit_picture.py", str(tmp_path), str(tmp_path / "out.png"), cwd=tmp_path)
    assert refused.returncode == 2
    assert f"Received: {tmp_path} without suspected_label_errors.csv." in refused.stderr
    (tmp_path / "suspected_label_errors.csv").write_text("name,given,label\na,sad,happy\n")
    assert script("audit_picture.py", str(tmp_path), str(tmp_path / "out.png"), cwd=tmp_path).returncode == 0
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.width == 11 * 120


def test_a_large_folder_is_made_and_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    made = script("large_folder.py", "many", "--images", "140", "--phase", "make", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert len({path.read_bytes() for path in (tmp_path / "many").glob("*/*.jpg")}) == 140
    cache = {"FER_EXP_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, str(ROOT / "scripts" / "large_folder.py"), "many", "--phase", "disk"]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **cache}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("| loading, left on disk | 140 | ")


def test_the_minutes_to_an_accuracy_are_those_of_the_first_epoch_that_has_it() -> None:
    quick, slow = (
        pd.Series([55.0, 61.0, 60.5, 66.0], [1.0, 2.0, 3.0, 4.0]),
        pd.Series([50.0, 60.0, 63.0], [2.0, 4.0, 6.0]),
    )
    found = time_to_accuracy.table([quick, slow]).set_index("PublicTest")
    minutes = found.columns[0]
    assert found.loc["60 %"].tolist() == ["3.0 (2.0-4.0)", "2 of 2"]
    assert found.loc["64 %"].tolist() == ["4.0 (4.0-4.0)", "1 of 2"]
    assert found.loc["67 %"].tolist() == ["-", "0 of 2"]
    assert found.index[-1].startswith("at the end: 64.5 ± ")
    assert found[minutes].iloc[-1] == "5.0"


def test_the_minutes_to_an_accuracy_are_measured_on_a_split_that_chooses_nothing(tmp_path: Path) -> None:
    done = script("time_to_accuracy.py", "--list", "--seeds", "2", "--add", "epochs=2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert second == first.replace("seed=0", "seed=1")
    words = [word for word in first.split()[3:] if not word.startswith("dataset.path=")]
    composed = compose(*words)
    assert composed["dataset"]["val"] == "PublicTest"
    assert composed["checkpoint"]["keep"] == "last"
    assert composed["early_stopping"] is None
    text = (ROOT / "docs" / "benchmarks.md").read_text()
    for place in ("time_to_accuracy", "time_to_accuracy, AVX2"):
        assert f"<!-- {place} -->\n" in text
        assert f"<!-- end of {place} -->" in text
