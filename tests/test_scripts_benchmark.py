"""Speed is measured as docs/benchmarks.md says: in turn, against nets of the same layers, on what the processor has."""

import ast
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import benchmark
import numpy as np
import pandas as pd
import pytest
from benchmarks import costs, jobs, race, races, startup
from benchmarks.cpu import Cpu, of_machine
from benchmarks.race import Effort, Entry, environment, run, table
from conftest import ROOT
from contracts import compose, node

from fer_exp.data.inputs import image
from fer_exp.options import config
from fer_exp.process import Job, Outcome
from fer_exp.reporting import console
from fer_exp.run import dispatch

ZEN_5 = Cpu(frozenset({"avx2", "avx512f", "avx512_bf16"}))
SAPPHIRE_RAPIDS = Cpu(frozenset({"avx2", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16"}))
SKYLAKE = Cpu(frozenset({"avx2", "avx512f"}))
ZEN_3 = Cpu(frozenset({"avx2"}))
CAPPED = Cpu(SAPPHIRE_RAPIDS.abilities, as_avx2=True)


class Stub(Entry):
    """A contender that answers at once with rates of its own: 100, 200, ... times what its name says."""

    def command(self) -> list[str]:
        code = (
            "import sys\nprint('ready', flush=True)\n"
            f'for round, _ in enumerate(sys.stdin, 1): print(\'{{"images": %d, "seconds": 2}}\' % '
            f"(200 * round * {self.name}), flush=True)"
        )
        return [sys.executable, "-c", code]


def test_a_race_compares_within_rounds(tmp_path: Path) -> None:
    entries = [Stub("2", "cnn"), Stub("1", "cnn")]
    rates = run(entries, Effort(3, tmp_path / "log"))
    np.testing.assert_array_equal(rates, [[200, 100], [400, 200], [600, 300]])
    found = table(entries, rates, ["ours", "theirs"])
    assert found["ours is faster by"].tolist() == ["1.00x", "2.00x"]
    assert found["images/s"].tolist() == [400, 200]


def test_a_contender_that_dies_ends_the_race_and_is_named(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=f"The contender x ended with code 1; see {tmp_path / 'log'}"):
        run([Stub("x", "cnn")], Effort(1, tmp_path / "log"))
    assert "NameError" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("cpu", "words", "place", "bfloat16"),
    [
        (SAPPHIRE_RAPIDS, "AVX-512, bfloat16, AMX", "cnn", True),
        (ZEN_5, "AVX-512, bfloat16", "cnn", True),
        (SKYLAKE, "AVX-512", "cnn", False),
        (ZEN_3, "AVX2 only", "cnn, AVX2", False),
        (CAPPED, "AVX-512, bfloat16, AMX, of which AVX2 only was used", "cnn, AVX2", False),
        (Cpu(ZEN_3.abilities, as_avx2=True), "AVX2 only", "cnn, AVX2", False),
    ],
)
def test_a_table_stands_with_those_of_what_was_used(cpu: Cpu, words: str, place: str, bfloat16: bool) -> None:
    assert (cpu.words, cpu.place("cnn"), cpu.bfloat16) == (words, place, bfloat16)
    text = benchmark.content("cnn", pd.DataFrame({"images/s": [7]}), Effort(1, Path("log"), cpu=cpu))
    assert text.startswith("With AVX-512:" if place == "cnn" else "With AVX2 only:")
    assert f"`python scripts/benchmark.py cnn{' --as-avx2' if cpu.as_avx2 else ''}` on {os.cpu_count()} cores" in text
    assert f"({words})" in text


def test_the_abilities_of_a_processor_are_read(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor : 0\nflags\t\t: fpu avx2 avx512f\n\nprocessor : 1\nflags\t\t: fpu\n")
    assert of_machine(cpuinfo=tmp_path / "cpuinfo").abilities == {"fpu", "avx2", "avx512f"}
    assert of_machine(cpuinfo=tmp_path / "none").kind == ""


def test_every_measurement_has_a_place_in_its_document() -> None:
    text = (ROOT / "docs" / "benchmarks.md").read_text()
    for cpu in (ZEN_5, ZEN_3):
        for name in benchmark.SECTIONS:
            place = cpu.place(name)
            there = benchmark.refusal(name, cpu) is None
            assert (f"<!-- {place} -->\n" in text) == (f"<!-- end of {place} -->" in text) == there, place


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["startup", "--as-avx2"], "--as-avx2 is for comparisons of training: cnn, fer_resnet, mobilenet_v2,"),
        (["precision", "--as-avx2"], "precision is for processors that multiply bfloat16. Received:"),
        (["nope"], "sections must be among: cnn, fer_resnet,"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    words: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmark.py", *words])
    with pytest.raises(SystemExit):
        benchmark.main()
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(("cpu", "count"), [(ZEN_5, 5), (SKYLAKE, 4), (CAPPED, 5)])
def test_bfloat16_is_raced_where_it_is_multiplied_and_the_switch_where_it_changes_something(
    cpu: Cpu, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(races, "run", lambda entries, effort: np.ones((1, len(entries))))
    found = races.fer_resnet(Effort(1, tmp_path / "log", cpu=cpu))
    assert found["batch"].tolist() == [64] * count + [128] * count
    assert ("fer_exp, mixed_bfloat16" in found["contender"].tolist()) == cpu.bfloat16
    assert ("fer_exp, without oneDNN" in found["contender"].tolist()) == (cpu.kind == "AVX2")


def test_contenders_get_the_environment_that_the_user_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "as fer_exp has it")
    assert environment().get("TF_ENABLE_ONEDNN_OPTS") == race.AS_STARTED.get("TF_ENABLE_ONEDNN_OPTS")


def imports_of(name: str) -> list[str]:
    """Returns the packages that a module imports when it is imported, in that order."""
    found = []
    for statement in ast.parse((ROOT / "scripts" / name).read_text()).body:
        if isinstance(statement, ast.ImportFrom):
            found.append((statement.module or "").split(".")[0])
        elif isinstance(statement, ast.Import):
            found += [alias.name.split(".")[0] for alias in statement.names]
    return found


@pytest.mark.parametrize("name", ["with_fer_exp", "first_step", "predict_rows", "share_of_peak"])
def test_the_own_contenders_let_the_package_choose_the_kernels(name: str) -> None:
    imported = imports_of(f"benchmarks/{name}.py")
    assert imported.index("fer_exp") < imported.index("keras")


def test_the_environment_is_kept_before_the_package_changes_it() -> None:
    imported = imports_of("benchmark.py")
    assert imported.index("benchmarks") < imported.index("fer_exp")
    for module in (race, races, costs, startup):
        assert "fer_exp" not in imports_of(f"benchmarks/{Path(str(module.__file__)).name}")


def kernel(shape: tuple[int, ...]) -> np.ndarray:
    """Returns weights that depend on nothing but their shape, so that the order of layers does not matter."""
    return np.random.default_rng(0).normal(0, np.prod(shape[:-1]) ** -0.5, shape).astype(np.float32)


def test_the_twins_of_fer_resnet_compute_the_same_with_as_many_parameters() -> None:
    torch = pytest.importorskip("torch")
    from benchmarks import with_keras, with_torch

    own, plain = config.build(node("model", "fer_resnet"), image((48, 48, 1)), 7), with_keras.fer_resnet()
    for model in (own, plain):
        for weight in model.weights:
            if weight.name in ("kernel", "gamma"):
                weight.assign(kernel(weight.shape) if weight.name == "kernel" else np.ones(weight.shape))
    twin = with_torch.FerResnet().eval()
    with torch.no_grad():
        for part in twin.modules():
            if isinstance(part, torch.nn.Conv2d):
                inputs, outputs, sides = part.in_channels, part.out_channels, part.kernel_size
                part.weight.copy_(torch.from_numpy(kernel((*sides, inputs, outputs)).transpose(3, 2, 0, 1)))
            elif isinstance(part, torch.nn.Linear):
                part.weight.copy_(torch.from_numpy(kernel((part.in_features, part.out_features)).T))
                part.bias.zero_()
            elif isinstance(part, torch.nn.BatchNorm2d):
                part.weight.fill_(1)
                part.eps = 1e-3  # Keras' default; PyTorch's costs as much
        images = np.random.default_rng(1).uniform(0, 255, (2, 48, 48, 1)).astype(np.float32)
        logits = twin(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
    learned = sum(parameter.numel() for parameter in twin.parameters())
    statistics = sum(buffer.numel() for name, buffer in twin.named_buffers() if "running" in name)
    for model in (own, plain):
        np.testing.assert_allclose(logits, np.asarray(model(images, training=False)), rtol=1e-3, atol=1e-3)
        assert sum(weight.shape.num_elements() for weight in model.trainable_weights) == learned
        assert model.count_params() == learned + statistics


def test_a_start_is_compared_with_plain_keras_within_a_repetition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = [
        startup.Start("--help", [], tmp_path),
        startup.Start(startup.PLAIN, [], tmp_path),
        startup.Start("ours", [], tmp_path, trains=True),
    ]
    answers: Mapping[str, list[float]] = {"--help": [1, 1, 1], startup.PLAIN: [10, 20, 5], "ours": [99, 15, 24, 10]}
    left = {what: iter(seconds) for what, seconds in answers.items()}
    monkeypatch.setattr(startup, "_starts", lambda folder: starts)
    monkeypatch.setattr(startup, "_seconds", lambda start, seeds, log: next(left[start.what]))
    found = startup.startup(Effort(3, tmp_path / "log"))
    # 99 was the first run of all, which is not counted; 15 / 10, 24 / 20, 10 / 5
    assert found["of plain Keras"].tolist() == ["", "1.00x", "1.50x"]
    assert found["seconds (median)"].tolist() == [1, 10, 15]


def test_a_start_that_fails_is_not_taken_for_a_quick_one(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    start = startup.Start("x", ["-c", "import sys; sys.exit(3)"], tmp_path, True, tmp_path / "cache", code=3)
    assert startup._seconds(start, iter([0]), tmp_path / "log") > 0
    assert not (tmp_path / "cache").exists()
    broken = startup.Start("x", ["-c", "import sys; sys.exit(len(sys.argv))"], tmp_path, trains=True)
    with pytest.raises(RuntimeError, match="seed=7` ended with code 2, not 0; see"):
        startup._seconds(broken, iter([7]), tmp_path / "log")


def test_the_seconds_of_jobs_are_read_from_what_a_sweep_says(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    told = dispatch._Told(1, "val/accuracy")
    told.begun(Job(0, "seed=1", [], tmp_path))
    console.opened(compose())
    told.ended(Outcome(0, "seed=1", 0, 0.5, "", 3.0))
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if jobs.ENDED.match(line)] == lines[-1:]
    assert [line for line in lines if line.startswith(jobs.CONFIGURED)] == lines[1:2]
