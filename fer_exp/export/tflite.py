"""`.tflite` files, each proven with the interpreter that phones use before it is published."""

import dataclasses
import functools
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from fer_exp.assessment.metrics import evaluate
from fer_exp.data import sample
from fer_exp.export import Export, Exportable, Exported, Kind
from fer_exp.lite import conversion, litert, model_file, proof, qat_file
from fer_exp.signature import Fraction, PositiveFloat, PositiveInt


def build(
    *,
    kinds: Annotated[list[Kind], Field(min_length=1)],
    calibration_images: PositiveInt,
    qat_epochs: PositiveInt,
    qat_lr: PositiveFloat,
    max_accuracy_drop: Fraction | None,
    threads: Annotated[list[PositiveInt], Field(min_length=1)],
    latency_calls: PositiveInt,
) -> Export:
    """Builds the export.

    Args:
        kinds: Any of float32, float16 (weights of half the size), dynamic (int8 weights, float activations), int8
            (integers alone, uint8 pixels in) and int8_qat (the same after training with the rounding).
        calibration_images: Training images, drawn with each class's share, that the ranges of int8 are taken from,
            >= 1.
        qat_epochs: Epochs of the training with rounding, >= 1.
        qat_lr: Peak learning rate of that training, for the run's own optimizer, > 0; about a tenth of what Adam
            trained with, a hundredth of SGD's.
        max_accuracy_drop: Share of the validation images (0.01 is one point) that a file may get wrong beyond what
            Keras does; one that falls short is not published; null publishes every file.
        threads: Numbers of threads to measure the latency with; 1 is measured in any case.
        latency_calls: Calls at batch 1 over which the latency is measured, >= 1.
    """

    def export(exportable: Exportable, folder: Path) -> list[Exported]:
        """Writes into `withheld` beside the folder, from where a file that passes goes into the folder."""
        withheld, splits = folder.with_name("withheld"), exportable.splits.development
        for earlier in (folder, withheld):
            shutil.rmtree(earlier, ignore_errors=True)  # of an attempt that was cut off
        rows = sample.inputs(splits.train, calibration_images, exportable.seed)
        keras_val = evaluate(exportable.predict(splits.val.inputs), splits.val.labels, splits.class_names)
        with conversion.Traced(exportable.model) as traced:

            @functools.cache  # int8 is also what int8_qat is compared with
            def content(kind: conversion.Kind) -> bytes:
                return traced.convert(kind, splits.class_names, rows)

            def written(kind: Kind) -> Exported:
                path = withheld / f"{kind}.tflite"
                more: Mapping[str, float] = {}
                if kind == "int8_qat":
                    more = qat_file.write(exportable, content("int8"), rows, path, qat_epochs, qat_lr)
                else:
                    model_file.write(path, content(kind))
                if kind == "int8":
                    litert.require_full_integer(path)
                proven = proof.prove(path, kind, exportable, keras_val, threads, latency_calls, max_accuracy_drop)
                proven = dataclasses.replace(proven, more=more)
                return proven if proven.withheld else proof.publish(proven, exportable, folder)

            results = [written(kind) for kind in dict.fromkeys(kinds)]
        if not any(withheld.iterdir()):
            withheld.rmdir()
        return results

    return export
