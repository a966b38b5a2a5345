"""Measures the chain prune, distil, quantise on FER2013 with several seeds, and writes docs/compression.md.

    python scripts/compression.py --only pruning_cnn             the small CNN that is compressed, first
    python scripts/compression_chain.py
    python scripts/compression_chain.py --list                   the commands, without running them

Runs `python -m fer_exp.compress` on the trained network of each seed, in the experiment `compression` of MLflow. What
has finished there is not repeated.
"""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from claims import finished, interval, verdict
from compression import DOCUMENT, EXPERIMENT
from compression_studies import STUDIES
from document import markdown, replace_section
from rich.console import Console
from studies import fer2013, measuring, with_seeds

from fer_exp.options import commandline, config
from fer_exp.run import chain_report
from fer_exp.tracking import Tracker, tracking_uri

SECTION = "chain"
SOURCE = STUDIES["pruning_cnn"].steps["trained"]


def main() -> None:
    """Runs what is missing and writes the table."""
    parser = measuring(__doc__, "networks that are compressed")
    parser.add_argument("--document", type=Path, default=DOCUMENT)
    options = with_seeds(parser)
    uri = tracking_uri(options.uri)
    data = fer2013(options.data)
    trained = finished(uri, EXPERIMENT)
    names = [" ".join(SOURCE.command(data, seed, "", "", [])) for seed in range(options.seeds)]
    absent = [seed for seed, name in enumerate(names) if name not in trained]
    if absent:
        parser.error(
            f"the runs of `python scripts/compression.py --only pruning_cnn` must be in {uri}. "
            f"Received: none of seed {absent[0]}."
        )
    sources = [trained[name].info.run_id for name in names]
    for source in sources:
        command = ["-m", "fer_exp.compress", source, f"tracking.experiment={EXPERIMENT}"]
        Console().print(f"python {' '.join(command)}", highlight=False, soft_wrap=True)
        if not options.list:
            subprocess.run([sys.executable, *command, f"tracking.uri={uri}"], check=True)
    if options.list:
        return
    node = commandline.composed([f"tracking.uri={uri}"])["tracking"]
    tracker: Tracker = config.build(node, experiment=EXPERIMENT)
    tables = [chain_report.table(tracker, _tags(uri, source)) for source in sources]
    told = f"`python scripts/compression_chain.py`: {options.seeds} seeds"
    replace_section(options.document, SECTION, f"{section(tables)}\n\n{told}")


def section(tables: Sequence[pd.DataFrame]) -> str:
    """Returns the table of the chain and its verdicts.

    Args:
        tables: Of `chain_report.table`, one for each seed; the first row of each is the source.
    """
    accuracy = {name: 100 * of for name, of in _columns(tables).items()}
    first = next(iter(accuracy))
    costs = tables[0].set_index("stage")
    rows = []
    for name, of in accuracy.items():
        stage, _, kind = name.partition(", ")
        rows.append({
            "network": name,
            "multiply-adds": f"{costs['multiply_adds'][stage] / 1e6:.2f} M",
            "parameters": f"{costs['parameters'][stage]:,.0f}",
            "MB": f"{costs[f'{kind} MB'][stage]:.2f}" if kind else "",
            "p50, ms": f"{costs[f'{kind} ms'][stage]:.2f}" if kind else "",
            "test accuracy": interval(of),
            f"minus {first}": "" if name == first else interval(of - accuracy[first], signed=True),
        })  # fmt: skip
    verdicts = [f"- {verdict(name, first, of - accuracy[first])}" for name, of in list(accuracy.items())[1:]]
    return "\n".join([markdown(pd.DataFrame(rows)), "", *verdicts])


def _columns(tables: Sequence[pd.DataFrame]) -> Mapping[str, np.ndarray]:
    """Returns the test accuracy of every stage and of every file, over the seeds."""
    found = {}
    for row, stage in enumerate(tables[0]["stage"]):
        found[str(stage)] = np.array([table["test_accuracy"][row] for table in tables])
        for column in (name for name in map(str, tables[0]) if name.endswith(" accuracy")):
            values = np.array([table[column][row] for table in tables])
            if not np.isnan(values).any():
                found[f"{stage}, {column.removesuffix(' accuracy')}"] = values
    return found


def _tags(uri: str, source: str) -> Mapping[str, str]:
    """Returns the tags of the newest finished chain that began with a run."""
    client = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    chains = client.search_runs(
        [experiment.experiment_id],
        f"attributes.status = 'FINISHED' and tags.{chain_report.SOURCE} = '{source}' and tags.{chain_report.TAG} != ''",
        order_by=["attributes.start_time DESC"],
    )
    return chains[0].data.tags


if __name__ == "__main__":
    main()
