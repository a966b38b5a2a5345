"""The processor that is measured: what it can do, what is used of it, and which tables of the document are its own."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_BFLOAT16 = ("amx_bf16", "avx512_bf16")
_CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Cpu:
    """A processor, and whether all of it is used.

    Attributes:
        abilities: Instruction sets, as Linux names them.
        as_avx2: Whether contenders may use AVX2 and nothing beyond; `avx2.py` sees to that.
    """

    abilities: frozenset[str]
    as_avx2: bool = False

    @property
    def kind(self) -> str:
        """What is measured: AVX-512, AVX2, or "" for what has neither (or does not tell)."""
        if "avx512f" in self.abilities and not self.as_avx2:
            return "AVX-512"
        return "AVX2" if "avx2" in self.abilities else ""

    @property
    def bfloat16(self) -> bool:
        """Whether it multiplies bfloat16; otherwise libraries emulate it, which nobody would train with."""
        return not self.as_avx2 and any(unit in self.abilities for unit in _BFLOAT16)

    @property
    def words(self) -> str:
        """Returns the abilities that decide speed, and whether some were left unused."""
        names = {"AVX-512": ("avx512f",), "bfloat16": _BFLOAT16, "AMX": ("amx_tile", "amx_bf16")}
        found = [name for name, flags in names.items() if any(flag in self.abilities for flag in flags)]
        if not found:
            return "AVX2 only" if "avx2" in self.abilities else "no AVX2"
        return ", ".join([*found, *(["of which AVX2 only was used"] if self.as_avx2 else [])])

    def place(self, section: str) -> str:
        """Returns the name that a section's table has in the document when it is measured here."""
        return f"{section}, AVX2" if self.kind == "AVX2" else section


def of_machine(as_avx2: bool = False, cpuinfo: Path = _CPUINFO) -> Cpu:
    """Returns the processor of this machine.

    Args:
        as_avx2: Whether nothing beyond AVX2 is used of it.
        cpuinfo: File in which Linux lists abilities; elsewhere there is none, and no ability is known.
    """
    lines: Iterable[str] = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    flags = next((line.partition(":")[2] for line in lines if line.startswith("flags")), "")
    return Cpu(frozenset(flags.split()), as_avx2)
