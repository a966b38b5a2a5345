"""The wheel is whole: it carries the configuration and works from any folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = pytest.mark.whole


def test_the_wheel_carries_the_configuration(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("fer_exp-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    for package in ("compare", "doctor", "reporting/run_page"):
        assert (tmp_path / "site" / "fer_exp" / package / "page.html.jinja").is_file()
    assert (tmp_path / "site" / "fer_exp" / "reporting" / "base.html.jinja").is_file()
    (tmp_path / "elsewhere").mkdir()
    script = "import fer_exp, sys; print(fer_exp.__file__); from fer_exp.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "--cfg", "job", "model=mobilenet_v2"],
        cwd=tmp_path / "elsewhere",
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "site") in done.stdout
    assert "_target_: fer_exp.model.mobilenet_v2.build" in done.stdout
