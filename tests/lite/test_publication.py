"""The export step tells the tracker, the terminal and the people who get the files."""

import dataclasses
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from contracts import compose, node
from converted import CLIP_AND_SOUND, SOUND
from exportables import NAMES, of_others, small
from PIL import Image
from rich.console import Console

from fer_exp.data.inputs import Specs
from fer_exp.export import Exportable, Exported
from fer_exp.lite import publication
from fer_exp.options import config


class Recorder:
    """A run that remembers metrics and tags."""

    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}
        self.tags: dict[str, Any] = {}

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.metrics |= metrics

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        self.tags |= tags


@dataclasses.dataclass(frozen=True)
class Published:
    folder: Path
    exportable: Exportable
    exported: list[Exported]
    recorder: Recorder
    said: str

    @property
    def card(self) -> str:
        return (self.folder / "tflite" / "model_card.md").read_text()


def publish(folder: Path, exportable: Exportable, **options: object) -> Published:
    screen = Console(file=io.StringIO(), width=140, record=True)
    exportable, recorder = dataclasses.replace(exportable, console=screen), Recorder()
    described = node("export", "tflite", latency_calls=3, threads=[1, 64], **options)
    exported = publication.publish(described, exportable, folder, recorder)  # type: ignore[arg-type]
    return Published(folder, exportable, exported, recorder, screen.export_text())


@pytest.fixture(scope="module")
def exportable() -> Exportable:
    return small()


@pytest.fixture(scope="module")
def published(exportable: Exportable, tmp_path_factory: pytest.TempPathFactory) -> Published:
    folder = tmp_path_factory.mktemp("run")
    return publish(folder, exportable, kinds=["float32", "int8"], max_accuracy_drop=None)


@pytest.fixture(scope="module")
def withheld(exportable: Exportable, tmp_path_factory: pytest.TempPathFactory) -> Published:
    """Held against a reference that is right on every validation image, no file passes."""
    labels = exportable.splits.val.labels
    perfect = dataclasses.replace(exportable, predict=lambda inputs: np.eye(3)[labels])
    return publish(tmp_path_factory.mktemp("run"), perfect, kinds=["float32"])


def test_every_number_is_a_cell_of_the_table_and_what_runs_are_compared_by_a_metric(published: Published) -> None:
    table = pd.read_csv(published.folder / "tables" / "exports.csv").set_index("kind")
    for entry in published.exported:
        for name, value in entry.numbers().items():
            assert table.loc[entry.kind, name] == pytest.approx(value)
        of_kind = f"tflite/{entry.kind}/"
        tracked = {k.removeprefix(of_kind): v for k, v in published.recorder.metrics.items() if k.startswith(of_kind)}
        assert tracked == {name: entry.numbers()[name] for name in tracked}
        assert {"accuracy", "macro_f1", "agreement", "size_mb", "latency_ms_p50", "published"} <= tracked.keys()
        assert len(tracked) <= 10
    assert {"accuracy", "agreement", "size_mb", "latency_ms_p50", "latency_ms_p95_64_threads"} <= set(table.columns)
    assert published.recorder.tags == {}


def test_the_terminal_shows_the_table_and_what_must_not_be_missed(published: Published) -> None:
    for text in ("exported files", "float32.tflite", "int8.tflite", "p50 / p95", "64 threads are more than"):
        assert text in published.said


def test_the_picture_of_the_files_is_drawn(published: Published) -> None:
    with Image.open(published.folder / "figures" / "exports.png") as picture:
        assert min(picture.size) > 300


def test_a_run_without_files_says_nothing(exportable: Exportable, tmp_path: Path) -> None:
    recorder = Recorder()
    assert publication.publish(node("export", "none"), exportable, tmp_path, recorder) == []  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    assert recorder.metrics == {}


def test_a_file_that_falls_short_is_told_everywhere_and_published_nowhere(withheld: Published) -> None:
    (entry,) = withheld.exported
    assert [file.name for file in (withheld.folder / "tflite").iterdir()] == ["model_card.md"]
    assert withheld.recorder.tags["withheld"] == f"float32: {entry.withheld}"
    assert withheld.recorder.metrics["tflite/float32/published"] == 0
    told = f"float32.tflite is not published: {entry.withheld}."
    assert told in " ".join(withheld.said.split())
    assert told in withheld.card
    assert "No file is published." in withheld.card


def test_the_card_tells_data_metrics_weaknesses_sizes_speed_and_use(published: Published) -> None:
    card, keras = published.card, published.exportable.evaluation
    low, high = keras.accuracy_interval
    assert f"{100 * keras.accuracy:.2f} % (95 % interval {100 * low:.2f} to {100 * high:.2f})" in card
    weakest = int(np.argmin(keras.recall))
    assert f"The weakest class is {NAMES[weakest]}: {100 * keras.recall[weakest]:.1f} % of its" in card
    pairs = keras.confusion * (1 - np.eye(3, dtype=int))
    true, predicted = np.unravel_index(pairs.argmax(), pairs.shape)
    assert f"is taken for {NAMES[predicted]} in {pairs.max()} of its {keras.support[true]} test images" in card
    for text in ("ff" * 32, "made here", "skipped: 3", "python -m fer_exp dataset.path=/home/me/faces", "| Keras |"):
        assert text in card
    train = published.exportable.splits.train.labels
    assert f"| {NAMES[0]} | {np.sum(train == 0)} |" in card
    for language in ("```python", "```kotlin", "```cpp"):
        assert language in card


def check_python_lines(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raises if the lines of the card do not give the answers of the files beside it."""
    monkeypatch.chdir(published.folder / "tflite")
    codes = [part.split("```")[0] for part in published.card.split("```python\n")[1:]]
    assert len(codes) == 2  # bytes in, and floats in
    for kind, code in zip(("int8", "float32"), codes, strict=True):
        names: dict[str, Any] = {}
        exec(code, names)
        inputs = published.exportable.splits.test.inputs
        answer = names["probabilities_of"](**{name: values[0] for name, values in inputs.items()})
        (entry,) = (entry for entry in published.exported if entry.kind == kind)
        np.testing.assert_allclose(answer, entry.test.probabilities[0], atol=0.01)


def test_the_python_lines_of_the_card_work_beside_the_card(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_python_lines(published, monkeypatch)


@pytest.mark.parametrize(
    ("specs", "said"),
    [
        (SOUND, "(sound of 40 samples, 400 a second) in"),
        (
            CLIP_AND_SOUND,
            "(face: clip of 3 frames 8x8, grey, 10 a second; voice: sound of 40 samples, 400 a second) in",
        ),
    ],
    ids=["sound", "clip and sound"],
)
def test_the_card_of_other_inputs_says_what_they_are_and_how_they_go_in(
    specs: Specs, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = publish(tmp_path, of_others(specs), kinds=["float32", "int8"], max_accuracy_drop=None)
    assert said in found.card
    check_python_lines(found, monkeypatch)
    assert ("Elsewhere: the signature of the file names its inputs." in found.card) == (len(specs) > 1)
    for language in ("```kotlin", "```cpp"):
        assert (language in found.card) == (len(specs) == 1)


def test_facts_hold_the_command_without_passwords_and_without_where_runs_are_kept() -> None:
    tags = {"parameters": 1, "multiply_adds": 2, "git_commit": "abc", "host": "here"}
    words = ["lr=1e-4", "tracking.uri=http://me:secret@host", "x=sqlite://me:secret@host", "name=a b", "y=[1,2]"]
    facts = publication.facts(config.check(compose()), "a name", "0" * 32, words, tags)
    assert facts["command"] == "python -m fer_exp lr=1e-4 'x=sqlite://me:***@host' 'name=a b' 'y=[1,2]'"
    assert facts["model"] == "cnn"
    assert "host" not in facts
    assert publication.facts(config.check(compose()), "", "", [], tags)["command"] == "python -m fer_exp"


def test_the_commands_to_run_it_again_hold_no_password_and_can_be_pasted() -> None:
    words = ["lr=0.1", "loss.class_weights={disgust: 2.0}", "tracking.uri=http://me:secret@host:5000"]
    (_, repeat), (_, given) = publication.commands(words, "a" * 32)
    assert repeat == f"python -m fer_exp reproduce={'a' * 32} 'tracking.uri=http://me:***@host:5000'"
    assert given == (
        "python -m fer_exp lr=0.1 'loss.class_weights={disgust: 2.0}' 'tracking.uri=http://me:***@host:5000'"
    )


def test_the_facts_of_a_configuration_leave_out_what_is_not_used() -> None:
    found = publication.options(config.check(compose("lr=2e-4", "seed=3", "sampling=balanced")))
    assert found == {
        "model": "cnn", "augmentation": "light", "loss": "cross_entropy", "optimizer": "adam", "schedule": "cosine",
        "batch size": "32", "peak lr": "0.0002", "seed": "3", "sampling": "balanced",
    }  # fmt: skip
