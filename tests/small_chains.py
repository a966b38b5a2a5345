"""A chain of two stages, and a run that it can begin with."""

from pathlib import Path

import yaml
from contracts import compose

from fer_exp.tracking import Record, Tracker

TWO = """
stages:
  - name: prune
    overrides: [pruning=channels, "pruning.run=${previous}", pruning.ratio=0.5, schedule=cosine, lr=3e-4, epochs=2]
  - name: again
    overrides: [pruning=channels, "pruning.run=${previous}", pruning.ratio=0, finetune=none, export=none]
"""


def source(tracker: Tracker, folder: Path, *overrides: str) -> Record:
    """A finished run that has recorded its configuration."""
    (folder / "run" / "config").mkdir(parents=True)
    values = compose(*overrides)
    (folder / "run" / "config" / "resolved.yaml").write_text(yaml.safe_dump(values))
    with tracker.run("it's the source", {}, {}, folder=folder / "run") as run:
        run.log_folder(folder / "run" / "config")
    record = tracker.record(run.run_id)
    assert record is not None
    return record
