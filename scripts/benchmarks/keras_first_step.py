"""What one would write in plain Keras, up to the end of the first training step; its wall time is the measurement.

As many images as the built-in data set has for training, in memory; the small CNN, Adam, batches of 32.
"""

import os

import keras

from benchmarks.samples import grey
from benchmarks.with_keras import small_cnn

IMAGES, BATCH = 4900, 32


class _StopAtOnce(keras.callbacks.Callback):
    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        """Ends the process without clearing up, which would be measured too."""
        os._exit(0)


images, labels = grey(IMAGES)
model = small_cnn(keras.layers, keras.Input, keras.Model)
model.compile(
    keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
)
model.fit(images.astype("float32"), labels, batch_size=BATCH, callbacks=[_StopAtOnce()])
