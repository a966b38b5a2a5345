"""Seconds of the steps of a `fit`, for any Keras."""

import time
from typing import Any


def train(model: Any, callback: type, data: Any, steps: int, **options: Any) -> float:
    """Runs `fit` for one epoch and returns the seconds from its beginning to the end of its last step.

    What follows the last step is left out: the thread that tunes a `tf.data` pipeline ends at its next waking, which
    can be as far away as the training was long. In a whole training that happens once.

    Args:
        model: Compiled.
        callback: `keras.callbacks.Callback` of the library the model is from.
        data: What `fit` takes.
        steps: Batches.
        **options: For `fit`.
    """
    times = [time.perf_counter()]

    class Stopwatch(callback):
        def on_train_batch_end(self, batch: int, logs: object = None) -> None:
            times.append(time.perf_counter())

    model.fit(data, steps_per_epoch=steps, epochs=1, verbose=0, callbacks=[Stopwatch()], **options)
    return times[-1] - times[0]
