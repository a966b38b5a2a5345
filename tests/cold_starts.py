"""The command line in a new interpreter that cannot import anything that takes long."""

import subprocess
import sys
from pathlib import Path

from conftest import environment_for

HEAVY = ("tensorflow", "keras", "mlflow", "pandas", "matplotlib", "sklearn")
WITHOUT_ANYTHING_HEAVY = f"""
import os, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name in {HEAVY} and name not in os.environ.get("MAY_BE_IMPORTED", "").split():
            sys.stdout.flush()
            print("refused:", name, file=sys.stderr, flush=True)
            os._exit(9)
sys.meta_path.insert(0, Refuse())
from fer_exp.__main__ import main
main()
"""


def without_anything_heavy(
    folder: Path, *arguments: str, first: str = "", but: tuple[str, ...] = (), **environment: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", f"{first}\n{WITHOUT_ANYTHING_HEAVY}", *arguments],
        cwd=folder, env=environment_for(MAY_BE_IMPORTED=" ".join(but), **environment),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
