"""The cap of `--as-avx2`: on a processor with AVX-512 every library computes as on one that has AVX2 and no more.

Called by `contender.py`: `impose` before a library is imported, `check` afterwards. TensorFlow's own kernels (Eigen)
are compiled for AVX2 at most. What chooses instructions where it runs is oneDNN, which multiplies matrices for
TensorFlow even if its "oneDNN custom operations" are off; and PyTorch's kernels, its oneDNN and its MKL.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, MutableMapping

CAPS = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
VERBOSE = {"ONEDNN_VERBOSE": "1", "MKL_VERBOSE": "1"}
_CUSTOM_OPERATIONS = "TF_ENABLE_ONEDNN_OPTS"


def impose(environment: MutableMapping[str, str], plain_tensorflow: bool) -> None:
    """Sets the variables that the libraries read when they are loaded.

    Args:
        environment: Of the process, changed in place.
        plain_tensorflow: Whether TensorFlow is used as it comes. It turns its oneDNN operations on where it finds
            AVX-512 VNNI, AVX-VNNI or AMX, none of which a plain AVX2 processor has. What a user set stays.
    """
    environment.update(CAPS)
    if plain_tensorflow:
        environment.setdefault(_CUSTOM_OPERATIONS, "0")


def check(library: str) -> None:
    """Makes the library compute in a process with the environment of this one, and reads what it says of itself.

    Its verbose modes would slow down what is measured, and TensorFlow's cannot be ended; hence another process.

    Args:
        library: tensorflow or torch.

    Raises:
        SystemExit: If the library uses more than AVX2, or does not tell.
    """
    command = [sys.executable, "-m", "benchmarks.witness", library]
    told = subprocess.run(command, env={**os.environ, **VERBOSE}, capture_output=True, text=True, check=False)
    if told.returncode:
        raise SystemExit(f"The cap at AVX2 cannot be checked: {library} failed.\n{told.stderr}")
    found = problems(library, told.stdout, os.environ)
    if found:
        raise SystemExit("\n".join(f"The cap at AVX2 does not hold in {library}: {problem}." for problem in found))


def problems(library: str, told: str, environment: Mapping[str, str]) -> list[str]:
    """Returns what contradicts the cap in the output of `witness.py`.

    Args:
        library: tensorflow or torch.
        told: What the witness and the verbose modes of oneDNN and MKL printed.
        environment: What it ran in.
    """
    found = []
    onednn = re.findall(r"^onednn_verbose,.*\bcpu,isa:(.*)$", told, re.MULTILINE)
    if not onednn or set(onednn) != {"Intel AVX2"}:
        found.append(f"oneDNN says {_quoted(onednn)}, not `Intel AVX2`")
    if library == "torch":
        kernels = re.findall(r"^torch kernels: (.*)$", told, re.MULTILINE)
        if kernels != ["AVX2"]:
            found.append(f"torch.backends.cpu says {_quoted(kernels)}, not `AVX2`")
        mkl = re.findall(r"^MKL_VERBOSE .* architecture (.*?), ", told, re.MULTILINE)
        # For an AMD processor MKL prints "Intel(R) Architecture processors", whatever instructions it uses.
        if "torch has MKL" in told and (not mkl or any("512" in name for name in mkl)):
            found.append(f"MKL says {_quoted(mkl)}, which must be no AVX-512")
    elif environment.get(_CUSTOM_OPERATIONS) == "0" and ",exec,cpu,convolution," in told:
        found.append(f"convolutions are oneDNN's in spite of {_CUSTOM_OPERATIONS}=0")
    return found


def _quoted(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "nothing"
