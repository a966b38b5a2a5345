"""A little more training for a variant of the trained model, such as one that rounds as integers will.

Called through `Exportable.fine_tune`. It must not know what the variant is for, and keeps nothing on disk.
"""

import keras
from rich.console import Console

from fer_exp.dataset import Development
from fer_exp.fit import averaging, feed, fitting
from fer_exp.fit.assembly import Assembled
from fer_exp.fit.callbacks import StopAtNaN
from fer_exp.fit.pipeline import evaluation_batches, steps_in
from fer_exp.fit.progress import TrainingProgress
from fer_exp.options import config


def train(
    experiment: config.Experiment,
    splits: Development,
    parts: Assembled,
    model: keras.Model,
    epochs: int,
    peak: float,
    console: Console,
) -> None:
    """Trains another model of the same input and output some epochs more, on one device, from `peak` by a cosine to 0.

    Args:
        experiment: The checked configuration; its optimizer, loss and augmentation are used.
        splits: The data, without their test split.
        parts: From `assemble`.
        model: (batch, height, width, channels) in [0, 255] -> logits; its weights change.
        epochs: >= 1.
        peak: Learning rate of the first step.
        console: Where the progress goes.

    Raises:
        TrainingDivergedError: If the loss is no longer finite.
    """
    steps = steps_in(splits.train, experiment.batch_size, 1)
    console.print(
        f"fine-tuning: {epochs} epochs from lr {peak:g} by a cosine to 0; schedule={experiment.option('schedule')} was "
        "for the training before",
        highlight=False,
        soft_wrap=True,
    )
    fitted = fitting.fitted(model, parts.objective, parts.teacher)
    optimizer = config.build(experiment.optimizer, keras.optimizers.schedules.CosineDecay(peak, epochs * steps))
    fitting.compile_for_training(fitted, optimizer)
    batches = feed.inputs(experiment, splits, parts, replicas=1, epochs=epochs, first_epoch=0)
    val = evaluation_batches(splits.val, experiment.batch_size, len(splits.class_names), 1)
    progress = TrainingProgress(console, "fine-tuning", 0, epochs, steps, experiment.batch_size)
    try:
        fitted.fit(
            batches,
            epochs=epochs,
            steps_per_epoch=steps,
            validation_data=val,
            callbacks=[StopAtNaN(), *averaging.callbacks(fitted, lambda: batches.take(4)), progress],
            shuffle=False,
            verbose=0,
        )
    finally:
        progress.close()
