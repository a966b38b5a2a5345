"""Every command that README and docs print is run, as printed, in a folder with small stand-ins for the real data.

`debug=fast` is added to training commands, so that they end within seconds; `make` targets are run by `.ci/run`.
"""

import gzip
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import processes
import pytest
from conftest import ROOT, environment_for
from drawn_faces import found_faces, photo
from finished_runs import tracker_in
from PIL import Image
from servers import free_port

from fer_exp.data.emotions import EMOTIONS
from fer_exp.predict import videos

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])


def commands() -> dict[str, str]:
    """Each command, and the name of the first page that prints it."""
    found: dict[str, str] = {}
    for page in PAGES:
        text = page.read_text()
        for block in re.findall(r"^ *```bash\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
            for line in block.replace("\\\n", " ").splitlines():
                if line.strip():
                    found.setdefault(line.strip(), page.name)
        for overrides in re.findall(r"^\|(?: \w+ \|)? `(\w+=[^`]*)` \|", text, re.MULTILINE):
            if page.name in ("README.md", "results.md"):
                found.setdefault(f"python -m fer_exp {overrides}", page.name)
    return found


COMMANDS = commands()
PYTHON = [command for command in COMMANDS if command.startswith("python ")]
MAKE = [command for command in COMMANDS if command.startswith("make ")]
# A few commands of a page at a time are a piece of work for one worker; none needs what another has made.
OF_PAGES = [
    pytest.param(command, id=f"{COMMANDS[command]} {number // 8}: {command}") for number, command in enumerate(PYTHON)
]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small FER2013 and its votes, a folder of faces, and weights of the named backbone."""
    folder = tmp_path_factory.mktemp("docs")
    random = np.random.default_rng(0)
    (folder / "data").mkdir()
    with gzip.open(folder / "data" / "fer2013.csv.gz", "wt") as file:
        file.write("emotion,pixels,Usage\n")
        for row in range(490):
            pixels = " ".join(map(str, random.integers(0, 256, 48 * 48)))
            file.write(f"{row % 7},{pixels},{'Training' if row < 420 else 'PublicTest'}\n")
    header = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF"]
    own = [header.index(name) for name in ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")]
    with (folder / "data" / "fer2013new.csv").open("w") as file:
        file.write(",".join(["Usage", "Image name", *header]) + "\n")
        for row in range(490):
            seen = 7 if row % 14 == 13 else own[row % 7]  # contempt is in no label of FER2013
            votes = ",".join(str(10 * (column == seen)) for column in range(len(header)))
            file.write(f"{'Training' if row < 420 else 'PublicTest'},fer{row:07}.png,{votes}\n")
    for name in EMOTIONS:
        (folder / "faces" / name).mkdir(parents=True)
        for index in range(12):
            picture = random.integers(0, 256, (60, 50), np.uint8)
            Image.fromarray(picture).save(folder / "faces" / name / f"{index}.png")
    photo(*found_faces(1)).save(folder / "photo.jpg")
    film = videos.Writer(folder / "film.mp4", 10, (400, 300))
    for _ in range(10):
        film.add(photo(*found_faces(1)))
    film.close()
    import keras

    backbone = keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, include_top=False, weights=None)
    backbone.save_weights(folder / "data" / "mobilenet_v2_0.35_224_no_top.weights.h5")
    return folder


@pytest.fixture(scope="module")
def registered(workplace: Path) -> None:
    """A model that is registered as `fer`, and one of its files in the folder."""
    done = processes.run("fer_exp", ["registered_model=fer", "debug=fast"], workplace, environment_for())
    assert done.returncode == 0, done.stderr
    shutil.copy(next(workplace.glob("outputs/*/*/tflite/float32.tflite")), workplace)


def test_every_printed_command_is_of_a_kind_that_is_run() -> None:
    assert len(PYTHON) >= 8
    assert set(COMMANDS) == {*PYTHON, *MAKE}


def test_every_make_target_is_run_by_ci_or_here() -> None:
    run_by_ci = re.findall(r"^make ([\w-]+)", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    targets = {command.split()[1] for command in MAKE}
    assert targets <= {*run_by_ci, "ui", "test"}  # test-all is more than test


@pytest.mark.whole
@pytest.mark.parametrize("command", OF_PAGES)
def test_a_printed_command_works(command: str, workplace: Path, request: pytest.FixtureRequest) -> None:
    if command.startswith(("python -m fer_exp.predict", "python -m fer_exp.evaluate")):
        request.getfixturevalue("registered")
    words = [sys.executable, *shlex.split(command)[1:]]
    if words[1].startswith("scripts/"):
        words[1] = str(ROOT / words[1])
    elif not {"--help", "--cfg"} & set(words) and not any(word.startswith("debug=") for word in words):
        words += ["debug=fast"]
    environment = environment_for()
    if words[1] == "-m":
        done = processes.run(words[2], words[3:], workplace, environment, timeout_seconds=400)
    else:
        done = subprocess.run(
            words, cwd=workplace, env=environment, capture_output=True, text=True, timeout=400, check=False
        )
    assert done.returncode == 0, done.stderr


@pytest.mark.whole
def test_make_ui_serves_what_was_logged_here_on_loopback(tmp_path: Path) -> None:
    port = free_port()
    tracker_in(tmp_path)
    environment = environment_for(MLFLOW_TRACKING_URI=f"sqlite:///{tmp_path / 'mlflow.db'}")
    if not (ROOT / ".venv").is_dir():
        pytest.fail("the tests are run by `make test`, which makes .venv")
    process = subprocess.Popen(
        ["make", "ui", f"PORT={port}"],
        cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        for _ in range(360):  # the database is made first, beside other tests
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1) as answer:
                    assert answer.status == 200
                    return
            except OSError:
                time.sleep(0.5)
        pytest.fail("`make ui` did not answer within 180 seconds")
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=30)


def test_the_configuration_page_names_every_option_of_every_group() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    options = list((ROOT / "conf").glob("*/*.yaml"))
    assert all(f"`{path.stem}`" in page for path in options)


def test_the_list_of_pages_names_every_page_and_every_link_leads_somewhere() -> None:
    contents = (ROOT / "docs" / "README.md").read_text()
    for page in PAGES:
        if page.parent.name == "docs" and page.name != "README.md":
            assert f"({page.name})" in contents, page.name
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_command_of_the_guide_works_as_printed(tmp_path: Path) -> None:
    """The guide's module is put beside the package's own, and its help and a missing word are asked for."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    body = re.search(r"`fer_exp/durations/__main__.py`\n\n```python\n(.*?)```", text, re.DOTALL)
    assert body is not None
    (tmp_path / "durations.py").write_text(body.group(1))

    def ended(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "durations.py", *words],
            cwd=tmp_path, env=environment_for(PYTHONPATH=str(ROOT)), capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert "Says how long each finished run took." in ended("--help").stdout
    assert ended().returncode == 2


def _write_as_printed(folder: Path, *paths: str) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    for path in paths:
        language = {".py": "python", ".yaml": "yaml"}[Path(path).suffix]
        body = re.search(rf"`{path}`\n\n```{language}\n(.*?)```", text, re.DOTALL)
        assert body is not None, path
        (folder / path).write_text(body.group(1))


@pytest.mark.whole
def test_the_sounds_of_the_guide_are_trained_on_and_exported_as_printed(tmp_path: Path) -> None:
    """The guide's two modules and yamls are all that a copy of the package needs beside its own."""
    import shutil

    for name in ("fer_exp", "conf"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    _write_as_printed(tmp_path, "fer_exp/dataset/tones.py", "conf/dataset/tones.yaml")
    _write_as_printed(tmp_path, "fer_exp/model/waves.py", "conf/model/waves.yaml")

    def ended(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "fer_exp", *words], cwd=tmp_path, env=environment_for(PYTHONPATH=str(tmp_path)),
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    done = ended("dataset=tones", "model=waves", "export.kinds=[float32,int8]", "augmentation=strong", "epochs=8")
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "outputs").glob("*/*")
    assert {path.name for path in (folder / "tflite").glob("*.tflite")} == {"float32.tflite", "int8.tflite"}
    assert (folder / "figures" / "training_samples.png").is_file()
    accuracy = re.search(r"test accuracy +│ (\d\.\d+)", done.stdout)
    assert accuracy is not None
    assert float(accuracy[1]) > 0.9
    refused = ended("model=waves")
    assert "which is an image. Received: model=waves, which takes a sound. Use model=cnn" in refused.stderr
    assert refused.returncode == 2


@pytest.mark.whole
def test_the_model_of_the_guide_works_as_printed(tmp_path: Path) -> None:
    """The guide's module and yaml are written into a copy of the package, and the guide's command is run."""
    import shutil

    for name in ("fer_exp", "conf"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    _write_as_printed(tmp_path, "fer_exp/model/linear.py", "conf/model/linear.yaml")
    words = [sys.executable, "-m", "fer_exp", "model=linear", "model.l2=0", "debug=fast", "dataset.train_size=70"]
    environment = environment_for(PYTHONPATH=str(tmp_path))
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    bad = subprocess.run(
        [*words, "model.l2=-1"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (
        "`model.l2` must be greater than or equal to 0. Received: model.l2=-1. Weight of the L2 penalty" in bad.stderr
    )
