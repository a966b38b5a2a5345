"""Without the GPU that was asked for, the message says what there is and what to do."""

import pytest
import tensorflow as tf
from contracts import node

from fer_exp.errors import ConfigError
from fer_exp.options import config


@pytest.mark.parametrize(("gpus", "index"), [(0, 0), (2, 2)])
def test_a_gpu_that_is_not_there_is_refused(gpus: int, index: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [object()] * gpus)
    with pytest.raises(ConfigError) as caught:
        config.build(node("strategy", "gpu", index=index))
    assert str(caught.value) == (
        f"`strategy.index` must name one of the {gpus} GPUs TensorFlow sees. Received: strategy.index={index}. "
        "Use strategy=cpu, or install the driver and `pip install fer-exp[gpu]`."
    )


def test_the_gpu_asked_for_is_the_only_one_seen_and_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["GPU:0", "GPU:1"])
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda *arguments: calls.append(arguments))
    strategy = config.build(node("strategy", "gpu", index=1))
    assert calls == [("GPU:1", "GPU"), ("GPU:1", True)]
    assert strategy.num_replicas_in_sync == 1
