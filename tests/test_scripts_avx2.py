"""With `--as-avx2` contenders use AVX2 and nothing beyond, or end."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from benchmarks import avx2
from benchmarks.cpu import Cpu, of_machine
from benchmarks.race import Effort, Entry, environment, run


class Asked(Entry):
    """A contender whose images a second are 1 if it is to use AVX2 and nothing beyond."""

    def command(self) -> list[str]:
        code = (
            "import sys\nprint('ready', flush=True)\n"
            "for _ in sys.stdin: print('{\"images\": %d, \"seconds\": 1}' % sys.argv.count('--as-avx2'), flush=True)"
        )
        return [sys.executable, "-c", code]


@pytest.mark.parametrize(("cpu", "count"), [(Cpu(frozenset()), 0), (Cpu(frozenset(), as_avx2=True), 1)])
def test_contenders_are_told_what_they_may_use(cpu: Cpu, count: int, tmp_path: Path) -> None:
    assert run([Asked("x", "cnn")], Effort(1, tmp_path / "log", cpu=cpu)) == count


def test_the_cap_is_set_before_a_library_is_loaded() -> None:
    own, plain, chosen = {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"}, {}, {"TF_ENABLE_ONEDNN_OPTS": "1"}
    avx2.impose(own, plain_tensorflow=False)
    avx2.impose(plain, plain_tensorflow=True)
    avx2.impose(chosen, plain_tensorflow=True)
    assert own == avx2.CAPS
    assert plain == {**avx2.CAPS, "TF_ENABLE_ONEDNN_OPTS": "0"}
    assert chosen["TF_ENABLE_ONEDNN_OPTS"] == "1"


ISA = "onednn_verbose,v1,info,cpu,isa:"
MKL = "MKL_VERBOSE oneMKL 2024.0 Update 2 Product build 20240605 for Intel(R) 64 architecture Intel(R) "
MKL_AVX2 = (
    f"torch has MKL\n{MKL}Advanced Vector Extensions 2 (Intel(R) AVX2) enabled processors, Lnx 2.40GHz lp64 gnu_thread"
)
CONVOLUTION = "onednn_verbose,v1,primitive,exec,cpu,convolution,brg_conv_fwd:avx2,forward_training"
MULTIPLY = "onednn_verbose,v1,primitive,exec,cpu,gemm_api,,undef,src_f32::blocked:ab:f0"


@pytest.mark.parametrize(
    ("library", "told", "problems"),
    [
        ("tensorflow", [ISA + "Intel AVX2", MULTIPLY], []),
        ("tensorflow", [ISA + "Intel AVX2", CONVOLUTION], ["convolutions are oneDNN's in spite of"]),
        (
            "tensorflow",
            [ISA + "Intel AVX-512 with Intel DL Boost"],
            ["oneDNN says `Intel AVX-512 with Intel DL Boost`"],
        ),
        ("tensorflow", [ISA + "Intel AVX2 with Intel DL Boost"], ["oneDNN says `Intel AVX2 with Intel DL Boost`, not"]),
        ("tensorflow", [], ["oneDNN says nothing"]),
        ("torch", [ISA + "Intel AVX2", "torch kernels: AVX2", CONVOLUTION, MKL_AVX2], []),
        ("torch", [ISA + "Intel AVX2", "torch kernels: AVX2"], []),
        ("torch", [ISA + "Intel AVX2", "torch kernels: AVX512"], ["torch.backends.cpu says `AVX512`"]),
        ("torch", [ISA + "Intel AVX2", "torch kernels: AVX2", "torch has MKL"], ["MKL says nothing"]),
        (
            "torch",
            [
                ISA + "Intel AVX2",
                "torch kernels: AVX2",
                MKL_AVX2.replace("2 (Intel(R) AVX2)", "512 (Intel(R) AVX-512)"),
            ],
            ["MKL says `Intel(R) Advanced Vector Extensions 512 (Intel(R) AVX-512) enabled processors`, which must be"],
        ),
    ],
)
def test_what_a_library_says_of_itself_is_held_against_the_cap(
    library: str, told: Sequence[str], problems: Sequence[str]
) -> None:
    found = avx2.problems(library, "\n".join(told), {"TF_ENABLE_ONEDNN_OPTS": "0"})
    assert [message.startswith(start) for message, start in zip(found, problems, strict=True)] == [True] * len(problems)


def test_a_contender_ends_if_its_library_uses_other_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    if not of_machine().kind:
        pytest.skip("the libraries know no such instructions here")
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    with pytest.raises(SystemExit, match="does not hold in tensorflow: oneDNN says `Intel SSE4.1`, not `Intel AVX2`"):
        avx2.check("tensorflow")
