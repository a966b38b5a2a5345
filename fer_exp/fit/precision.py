"""The number format a model trains in, for `precision=auto`.

Called by `assembly`. Knows what processors are good at, and no model by name.
"""

from pathlib import Path

import tensorflow as tf

from fer_exp.network.cost import MultiplyAdds

# 1x1 convolutions wait for memory, whatever they compute in, and depthwise ones are slower in bfloat16. Measured by
# `scripts/benchmark.py precision`: separable networks with a large dense layer gain a quarter on a matrix unit and 60 %
# with dot products, MobileNets lose a quarter and more on both.
_UNITS = ("amx_bf16", "avx512_bf16")
_LEAST_DENSE_SHARE = 0.25
_CPUINFO = Path("/proc/cpuinfo")


def choose(cost: MultiplyAdds, cpuinfo: Path = _CPUINFO) -> tuple[str, str]:
    """Returns the Keras policy that trains the model fastest here without losing accuracy, and why.

    Args:
        cost: Multiply-adds of the model.
        cpuinfo: File in which Linux lists the processor's abilities; elsewhere there is none, and no such unit.
    """
    if tf.config.get_visible_devices("GPU"):
        return "mixed_float16", "the GPU multiplies float16 fastest"
    abilities = _abilities(cpuinfo)
    unit = next((unit for unit in _UNITS if unit in abilities), None)
    if unit is None:
        return "float32", f"this CPU does not multiply bfloat16 ({', '.join(_UNITS)})"
    share = (cost.dense_spatial + cost.fully_connected) / cost.total if cost.total else 0.0
    where = f"of the multiply-adds are in dense layers and dense convolutions, which bfloat16 speeds up ({unit})"
    if share < _LEAST_DENSE_SHARE:
        return "float32", f"only {share:.0%} {where}"
    return "mixed_bfloat16", f"{share:.0%} {where}"


def _abilities(cpuinfo: Path) -> set[str]:
    if not cpuinfo.exists():
        return set()
    flags = next((line for line in cpuinfo.read_text().splitlines() if line.startswith("flags")), "")
    return set(flags.split())
