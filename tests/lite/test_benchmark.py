"""Speed and memory are measured in a process that holds nothing else."""

import json
import re
import subprocess
import sys
from pathlib import Path

import keras
import pytest
from contracts import node

from fer_exp import process
from fer_exp.data.inputs import image
from fer_exp.lite import benchmark, conversion
from fer_exp.options import config


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model: keras.Model = config.build(node("model", "cnn", widths=[8, 8], head_units=2000), image((24, 24, 1)), 3)
    path = tmp_path_factory.mktemp("tflite") / "a.tflite"
    path.write_bytes(conversion.convert(model, "float32", ("a", "b", "c")))
    return path


def test_one_thread_is_measured_beside_those_asked_for(file: Path) -> None:
    speed = benchmark.measure(file, [2], calls=10)
    assert sorted(speed.latency) == [1, 2]
    assert all(0 < time.p50 <= time.p95 for time in speed.latency.values())
    assert 0 < speed.load_ms < 10_000


def test_memory_is_that_of_the_interpreter_and_not_of_the_process_that_asks(file: Path) -> None:
    speed = benchmark.measure(file, [1], calls=2)
    assert speed.memory_mb is not None
    # At least the weights; this process holds TensorFlow, which takes hundreds of MB.
    assert file.stat().st_size / 1e6 < speed.memory_mb < 100


def test_a_file_that_cannot_be_loaded_is_an_error_that_says_why(tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(b"no network at all")
    with pytest.raises(RuntimeError, match=r"a\.tflite cannot be measured: [\s\S]*not a valid Flatbuffer"):
        benchmark.measure(tmp_path / "a.tflite", [1], calls=1)


def test_it_is_a_command_that_prints_json_and_needs_no_tensorflow(file: Path) -> None:
    script = (
        f"import sys; sys.argv = ['benchmark', {str(file)!r}, '--calls', '2'];"
        "from fer_exp.lite import benchmark; benchmark.main(); print('tensorflow' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found.keys() == {"load_ms", "memory_mb", "latency_ms"}
    assert found["latency_ms"]["1"]["p50"] > 0
    assert done.stderr.splitlines()[-1] == "False"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.tflite"], "`file` must be a .tflite file: .* Received: none.tflite"),
        (["a.tflite", "--threads", "0"], "--threads: must be an integer >= 1. Received: 0"),
        (["a.tflite", "--calls", "x"], "--calls: must be an integer >= 1. Received: x"),
    ],
)
def test_mistakes_on_the_command_line_are_told(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmark", *arguments])
    with pytest.raises(SystemExit) as ended:
        benchmark.main()
    assert ended.value.code == 2
    assert re.search(message, capsys.readouterr().err)


def test_systems_without_a_status_file_have_no_memory_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "_STATUS", Path("/nowhere"))
    assert benchmark._memory("VmRSS") is None


def test_cores_and_processor_are_known() -> None:
    assert process.cores() >= 1
    assert benchmark.processor()
