"""A run that is open: what it is told becomes records, which wait in its outbox; and how it ends.

Called by `tracking.mlflow`, which opens runs. It asks the server nothing once the run is open.
"""

import contextlib
import logging
import shlex
import shutil
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import numpy as np
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec
from mlflow.utils.time import get_current_time_millis

from fer_exp.data import stored_rows
from fer_exp.data.inputs import Spec, Specs
from fer_exp.dataset import Splits
from fer_exp.errors import TrackingError
from fer_exp.record import layout, mlflow_system, names
from fer_exp.record.outbox import Header, Record
from fer_exp.record.sender import Sender

if TYPE_CHECKING:
    import keras

Keep = Callable[[Record], None]
_PATIENCE_SECONDS = 10.0  # at the end of a run, with a server that is away
_INTERRUPTED_SECONDS = 5.0  # at the end of a run that somebody wants to stop
_log = logging.getLogger(__name__)
_LOG_BYTES = 1_000_000  # of a log file, its end
_AT_END = "at_end"
_MOST_SHOWN = 3  # records that a server refused, in a message


def _tensor(spec: Spec, name: str | None) -> TensorSpec:
    return TensorSpec(np.dtype(spec.about.dtype), (-1, *spec.shape), name)


class MlflowRun:
    """A run that is open. See `fer_exp.tracking.Run`.

    Args:
        client: Asked only when an earlier run is gone on with.
        run_id: The run.
        experiment_id: Its experiment.
        folder: Of the run.
        put: Takes a record, and raises what went wrong with earlier ones.
        keep: Takes a record, and does not raise.
    """

    def __init__(
        self, client: mlflow.MlflowClient, run_id: str, experiment_id: str, folder: Path, put: Keep, keep: Keep
    ) -> None:
        self._client, self.run_id, self.experiment_id = client, run_id, experiment_id
        self._folder, self._put, self._keep = folder, put, keep
        self._last_steps: dict[str, int] = {}  # of each metric, where the run had some before it was opened
        self._params: frozenset[str] = frozenset()
        self._has_model = self._has_data = False
        self._samples = 0  # of system metrics
        self.numbers: dict[str, float] = {}  # metrics of no epoch: those that tell about the model

    @property
    def outbox(self) -> Path:
        """Where its records wait for the server."""
        return self._folder / layout.OUTBOX

    def read_what_is_logged(self) -> None:
        """Learns what an earlier attempt has logged, so that nothing is logged twice."""
        run = self._client.get_run(self.run_id)
        system = [key for key in run.data.metrics if key.startswith(mlflow_system.PREFIX)]
        for key in run.data.metrics.keys() - set(system):
            self._last_steps[key] = max(entry.step for entry in self._client.get_metric_history(self.run_id, key))
        if system:
            self._samples = 1 + max(entry.step for entry in self._client.get_metric_history(self.run_id, system[0]))
        self._params = frozenset(run.data.params)
        self._has_model = bool(run.outputs and run.outputs.model_outputs)
        self._has_data = bool(run.inputs and run.inputs.dataset_inputs)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Records the flattened configuration; what an earlier attempt has recorded stays."""
        values = {key: str(value) for key, value in names.keyed(params).items() if key not in self._params}
        if values:
            self._put({"kind": "params", "values": values})

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Records numbers, at an epoch or for the run as a whole."""
        metrics = names.keyed(metrics)
        if step is None:
            self.numbers |= {key: float(value) for key, value in metrics.items()}
        step = step or 0
        values = {key: float(value) for key, value in metrics.items() if step > self._last_steps.get(key, -1)}
        if values:
            self._put({"kind": "metrics", "values": values, "step": step, "time": get_current_time_millis()})

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Records short texts."""
        self._put({"kind": "tags", "values": names.texts(tags)})

    def log_text(self, text: str, name: str) -> None:
        """Records a text file."""
        self._put({"kind": "text", "name": name, "text": text})

    def log_folder(self, folder: Path) -> None:
        """Uploads a folder under its own name; one that lies outside the folder of the run is copied first."""
        root, source = self._folder.resolve(), folder.resolve()
        if not source.is_relative_to(root):
            source = Path(shutil.copytree(source, root / layout.OUTBOX / folder.name, dirs_exist_ok=True))
        self._put({"kind": "folder", "path": str(source.relative_to(root))})

    def log_data(self, splits: Splits) -> None:
        """Records what the run was trained and tested on."""
        if self._has_data:
            return
        source = CodeDatasetSource({"source": splits.source})
        sets = {}
        for context, split in (("training", splits.train), ("validation", splits.val), ("test", splits.test)):
            # MLflow notes shape and type alone, and what lies on disk is not read for that.
            outlines = {name: stored_rows.outline(values) for name, values in split.inputs.items()}
            data = mlflow.data.from_numpy(
                outlines if len(outlines) > 1 else next(iter(outlines.values())),
                source=source,
                targets=split.labels,
                name=context,
                digest=splits.sha256[:32],
            )
            sets[context] = data.to_dict()
        self._put({"kind": "data", "sets": sets})

    def log_model(self, model: "keras.Model", specs: Specs) -> None:
        """Records a model that takes its inputs as they are stored, by name, and returns class probabilities."""
        if self._has_model:
            return
        import keras
        import tensorflow as tf

        from fer_exp.network import named

        inputs = named.symbolic(specs)
        if model.name in inputs:  # Keras wants all names within a model to be different
            model = keras.Model(model.input, model.output, name=f"{model.name}_network")
        logits = named.call(model, inputs)
        only = next(iter(inputs.values())) if len(inputs) == 1 else inputs
        served = keras.Model(only, keras.layers.Softmax(dtype="float32")(logits), name="served")
        signature = ModelSignature(
            inputs=Schema([_tensor(spec, None if len(specs) == 1 else spec.name) for spec in specs.values()]),
            outputs=Schema([TensorSpec(np.dtype(np.float32), (-1, model.output_shape[-1]))]),
        )
        target = self._folder / layout.OUTBOX / "served_model"
        if target.exists():  # an attempt was cut off before it could say so
            shutil.rmtree(target)
        mlflow.keras.save_model(
            served,
            str(target),
            signature=signature,
            pip_requirements=[f"keras=={keras.__version__}", f"tensorflow=={tf.__version__}"],
        )
        path = str(target.relative_to(self._folder))
        self._put({"kind": "model", "path": path, "metrics": sorted(self.numbers), "time": get_current_time_millis()})

    def log_logs(self) -> None:
        """Records the log files of the run, or the end of long ones."""
        for file in sorted(self._folder.glob("*.log")):
            text = file.read_bytes()[-_LOG_BYTES:].decode(errors="replace")
            self._keep({"kind": "text", "name": file.name, "text": text})

    def sampled(self, seconds: float) -> contextlib.AbstractContextManager[None]:
        """Records the use of the machine while inside."""

        def record(values: Mapping[str, float], step: int) -> None:
            now = get_current_time_millis()
            self._keep({"kind": "metrics", "values": dict(values), "step": step, "time": now})

        return mlflow_system.sampled(self.run_id, record, self._samples, seconds)


@contextmanager
def ended(run: MlflowRun, sender: Sender, header: Header, has_at_end: bool, must_arrive: bool) -> Iterator[None]:
    """Gives a run its status, however it ends, and what is left of it some time to be delivered."""
    status, ended = "KILLED", 0  # whatever is no Exception is an interrupt
    at_most = _INTERRUPTED_SECONDS
    try:
        yield
        status, ended = "FINISHED", get_current_time_millis()
        sender.settle(_PATIENCE_SECONDS)
        sender.raise_error()
        at_most = float("inf")
    except Exception:
        status, at_most = "FAILED", float("inf")
        sender.keep({"kind": "text", "name": "traceback.txt", "text": traceback.format_exc()})
        run.log_logs()
        raise
    finally:
        if sender.refused:
            sender.keep({"kind": "tags", "values": names.texts({"refused_records": _refused(sender)})})
        if has_at_end:
            sender.keep({"kind": _AT_END})
        sender.keep({"kind": "status", "status": status, "time": ended or get_current_time_millis()})
        has_waited = status == "FINISHED" and sender.is_away
        sender.settle(0 if has_waited else _PATIENCE_SECONDS, at_most)
        sender.close()
        if sender.left and not (must_arrive and status == "FINISHED"):
            _log.warning(_what_is_left(sender, header, run))
    if must_arrive and (sender.left > len(sender.refused) or any(one.startswith(_AT_END) for one in sender.refused)):
        raise TrackingError(
            f"The sweep has ended, but its leaderboard is missing: {_what_is_left(sender, header, run)}"
        )
    sender.raise_error()


def _what_is_left(sender: Sender, header: Header, run: MlflowRun) -> str:
    refused = len(sender.refused)
    of_them = f", of which the server refused {_refused(sender)}" if refused and sender.left > refused else ""
    return (
        f"{sender.left} records of run {header.run_id} ({header.run_name}) were not delivered to {header.uri}: "
        f"{sender.reason or 'there was no time'}{of_them}. They are kept in {run.outbox}; deliver them with: "
        f"python -m fer_exp.sync {shlex.quote(str(run.outbox.parent))}"
    )


def _refused(sender: Sender) -> str:
    """Returns how many records a server refused, and why the first of them."""
    more = len(sender.refused) - _MOST_SHOWN
    return f"{len(sender.refused)}: {'; '.join(sender.refused[:_MOST_SHOWN])}{f'; and {more} more' if more > 0 else ''}"
