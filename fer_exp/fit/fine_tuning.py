"""A little more training for a variant of the trained model, such as one that rounds as integers will.

Called through `Exportable.fine_tune`. It must not know what the variant is for, and keeps nothing on disk.
"""

import keras

from fer_exp.fit import averaging, feed, fitting
from fer_exp.fit.assembly import Fit
from fer_exp.fit.callbacks import StopAtNaN
from fer_exp.fit.progress import TrainingProgress
from fer_exp.options import config


def train(fit: Fit, model: keras.Model, epochs: int, peak: float) -> None:
    """Trains another model of the same input and output some epochs more, on one device, from `peak` by a cosine to 0.

    Args:
        fit: The training before; its optimizer, loss and augmentation are used.
        model: Inputs (batch, ...) -> logits (batch, classes); its weights change.
        epochs: >= 1.
        peak: Learning rate of the first step.

    Raises:
        TrainingDivergedError: If the loss is no longer finite.
    """
    fit = fit.alone()
    experiment, parts, steps = fit.experiment, fit.parts, fit.steps
    fit.screen.print(
        f"fine-tuning: {epochs} epochs from lr {peak:g} by a cosine to 0; schedule={experiment.option('schedule')} was "
        "for the training before",
        highlight=False,
        soft_wrap=True,
    )
    fitted = fitting.fitted(model, parts.objective, parts.teacher)
    optimizer = config.build(experiment.optimizer, keras.optimizers.schedules.CosineDecay(peak, epochs * steps))
    fitting.compile_for_training(fitted, optimizer)
    batches = feed.inputs(fit, epochs, first_epoch=0)
    progress = TrainingProgress(fit.screen, "fine-tuning", 0, epochs, steps, experiment.batch_size)
    try:
        fitted.fit(
            batches,
            epochs=epochs,
            steps_per_epoch=steps,
            validation_data=feed.validation(fit),
            callbacks=[StopAtNaN(), *averaging.callbacks(fitted, lambda: batches.take(4)), progress],
            shuffle=False,
            verbose=0,
        )
    finally:
        progress.close()
