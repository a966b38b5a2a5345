"""What `precision=auto` decides from the processor and the model."""

from pathlib import Path

import pytest
import tensorflow as tf

from fer_exp.fit import precision
from fer_exp.network.cost import MultiplyAdds

DENSE = MultiplyAdds(dense_spatial=98, pointwise=2)
SEPARABLE = MultiplyAdds(pointwise=66, depthwise=6, fully_connected=28)
DEPTHWISE = MultiplyAdds(dense_spatial=5, pointwise=85, depthwise=10)


def cpuinfo(folder: Path, flags: str) -> Path:
    path = folder / "cpuinfo"
    path.write_text(
        f"processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: {flags}\nprocessor\t: 1\nflags\t\t: {flags}\n"
    )
    return path


@pytest.mark.parametrize(
    ("flags", "cost", "policy", "reason"),
    [
        ("fpu avx2 amx_bf16 amx_tile", DENSE, "mixed_bfloat16", "98% of the multiply-adds are in dense layers"),
        ("fpu avx2 amx_bf16 amx_tile", DEPTHWISE, "float32", "only 5% of the multiply-adds are in dense layers"),
        ("fpu avx2 amx_bf16 amx_tile", SEPARABLE, "mixed_bfloat16", "28% of the multiply-adds are in dense layers"),
        ("fpu avx2 avx512_bf16", DENSE, "mixed_bfloat16", "98% of the multiply-adds are in dense layers"),
        ("fpu avx2 avx512_bf16", SEPARABLE, "mixed_bfloat16", "28% of the multiply-adds are in dense layers"),
        ("fpu avx2 avx512_bf16", DEPTHWISE, "float32", "only 5% of the multiply-adds are in dense layers"),
        ("fpu avx2 avx512f", DENSE, "float32", "this CPU does not multiply bfloat16"),
        ("fpu avx2 amx_bf16", MultiplyAdds(), "float32", "only 0%"),
    ],
)
def test_a_cpu_that_multiplies_bfloat16_trains_dense_networks_in_it(
    tmp_path: Path, flags: str, cost: MultiplyAdds, policy: str, reason: str
) -> None:
    found = precision.choose(cost, cpuinfo(tmp_path, flags))
    assert found[0] == policy
    assert reason in found[1]


def test_where_there_is_no_list_of_abilities_it_is_float32(tmp_path: Path) -> None:
    assert precision.choose(DENSE, tmp_path / "none")[0] == "float32"


def test_a_gpu_trains_in_float16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [kind] if kind == "GPU" else [])
    assert precision.choose(DEPTHWISE)[0] == "mixed_float16"
