"""An evaluation as tables and sentences: what is confused with what, class by class, image by image.

Called by `report` and `conclusion`, and by `compare` and `registry`, which read one of the tables back. It computes
no metric of its own and writes no file.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from fer_exp.assessment.metrics import Evaluation, evaluate
from fer_exp.data import csv_cells
from fer_exp.record.names import metric_names

_MOST_BYTES = 2**30  # of a table of predictions; 100,000 images of 10 classes take 15 MB


def confused_pairs(evaluation: Evaluation, most: int = 10) -> pd.DataFrame:
    """Returns the most frequent confusions, one row for each direction that occurs.

    Args:
        evaluation: Where to look.
        most: Largest number of rows.

    Returns:
        Columns `true`, `predicted`, `count`, `share_of_true` (of the true class's images) and `both_directions`
        (count of this direction plus the opposite one); largest count first, then largest share.
    """
    wrong = evaluation.confusion * (1 - np.eye(len(evaluation.class_names), dtype=np.int64))
    true, predicted = np.nonzero(wrong)
    names = np.array(evaluation.class_names, dtype=object)
    pairs = pd.DataFrame(
        {
            "true": names[true],
            "predicted": names[predicted],
            "count": wrong[true, predicted],
            "share_of_true": wrong[true, predicted] / evaluation.support[true],
            "both_directions": (wrong + wrong.T)[true, predicted],
        }
    )
    order = ["count", "share_of_true"]
    return pairs.sort_values(order, ascending=False, kind="stable", ignore_index=True).head(most)


def describe_confusions(evaluation: Evaluation, most: int = 10, split: str = "test") -> list[str]:
    """Returns the most frequent confusions as sentences, in the order of `confused_pairs`.

    Args:
        evaluation: Where to look.
        most: Largest number of sentences.
        split: Name of the split, as it should be read in the sentence.
    """
    support = dict(zip(evaluation.class_names, evaluation.support, strict=True))
    pairs = confused_pairs(evaluation, most)
    return [
        f"{true} is taken for {predicted} in {count} of its {support[true]} {split} images ({100 * share:.1f} %)"
        for true, predicted, count, share in zip(
            pairs["true"], pairs["predicted"], pairs["count"], pairs["share_of_true"], strict=True
        )
    ]


def classification_table(evaluation: Evaluation) -> pd.DataFrame:
    """Returns `precision`, `recall`, `f1` and `support` of each class, then of `macro avg` and `accuracy`.

    Behind them stand the ends of their 95 % intervals, `precision_low`, `precision_high` and so on: Wilson's for
    precision, recall and accuracy, the bootstrap's for F1 and `macro avg`. Each value of `macro avg` is the mean of the
    defined values above it, hence the macro F1 and the balanced accuracy; `accuracy` stands in the column `f1`, where
    scikit-learn's report has it. Undefined values are NaN. The last column, `metric_name`, is what a class is called in
    the names of metrics (`test/f1/<metric_name>`), where not every sign may stand.
    """
    rows = np.column_stack([evaluation.precision, evaluation.recall, evaluation.f1])  # (classes, 3)
    summary = [np.nanmean(rows, axis=0), [np.nan, np.nan, evaluation.accuracy]]
    table = pd.DataFrame(
        np.vstack([rows, *summary]),
        columns=["precision", "recall", "f1"],
        index=pd.Index([*evaluation.class_names, "macro avg", "accuracy"], name="class"),
    )
    nothing, ends = [np.nan, np.nan], dict[str, np.ndarray]()
    for name, rows, macro, whole in (
        ("precision", evaluation.precision_interval, nothing, nothing),
        ("recall", evaluation.recall_interval, evaluation.balanced_accuracy_interval, nothing),
        ("f1", evaluation.f1_interval, evaluation.macro_f1_interval, evaluation.accuracy_interval),
    ):
        low, high = np.vstack([rows, macro, whole]).T
        ends |= {f"{name}_low": low, f"{name}_high": high}
    called = [*metric_names(evaluation.class_names), "", ""]
    return table.assign(support=[*evaluation.support, len(evaluation), len(evaluation)], **ends, metric_name=called)


def classification_text(evaluation: Evaluation) -> str:
    """Returns scikit-learn's classification report, with a last line that names the classes it cannot speak about."""
    from sklearn.metrics import classification_report

    known = np.flatnonzero(~np.isnan(evaluation.f1))
    report = classification_report(
        evaluation.labels,
        evaluation.predictions,
        labels=known,
        target_names=[evaluation.class_names[index] for index in known],
        digits=3,
        zero_division=0,
    )
    missing = [name for name, f1 in zip(evaluation.class_names, evaluation.f1, strict=True) if np.isnan(f1)]
    return report + (f"\nNeither in the labels nor predicted, so left out: {', '.join(missing)}\n" if missing else "")


def confusion_table(evaluation: Evaluation) -> pd.DataFrame:
    """Returns the confusion matrix with index `true_<class>` and columns `predicted_<class>`."""
    return pd.DataFrame(
        evaluation.confusion,
        index=[f"true_{name}" for name in evaluation.class_names],
        columns=[f"predicted_{name}" for name in evaluation.class_names],
    )


def sources_table(found: Mapping[str, Evaluation]) -> pd.DataFrame:
    """Returns one line for each source of the images: their number, accuracy and macro F1 with 95 % intervals.

    The last column, `metric_name`, is what the source is called in the names of metrics.

    Args:
        found: Evaluation of the images of each source, by its name.
    """
    rows = [
        (name, len(e), e.accuracy, *e.accuracy_interval, e.macro_f1, *e.macro_f1_interval, called)
        for (name, e), called in zip(found.items(), metric_names(list(found)), strict=True)
    ]
    columns = ["accuracy", "accuracy_low", "accuracy_high", "macro_f1", "macro_f1_low", "macro_f1_high"]
    return pd.DataFrame(rows, columns=["source", "images", *columns, "metric_name"])


def predictions_table(evaluation: Evaluation) -> pd.DataFrame:
    """Returns one line for each image: `row` in the split, names, `confidence`, `correct` and every `p_<class>`."""
    names = np.array(evaluation.class_names, dtype=object)
    table = pd.DataFrame(
        {
            "row": np.arange(len(evaluation)),
            "label": names[evaluation.labels],
            "prediction": names[evaluation.predictions],
            "confidence": evaluation.probabilities.max(axis=1),
            "correct": evaluation.labels == evaluation.predictions,
        }
    )
    columns = [f"p_{name}" for name in evaluation.class_names]
    return pd.concat([table, pd.DataFrame(evaluation.probabilities, columns=columns)], axis=1)


def evaluation_of(table: pd.DataFrame) -> Evaluation:
    """Returns the evaluation that a table of `predictions_table` was made of.

    Args:
        table: As written and read again; `label` and `prediction` as text.

    Raises:
        ValueError: If columns are missing, rows are missing or out of order, or a value is impossible.
    """
    columns = [column for column in table.columns if column.startswith("p_")]
    missing = {"row", "label", "prediction"} - set(table.columns)
    if missing or len(columns) < 2:
        raise ValueError(
            f"there must be columns row, label, prediction and p_<class>; found {list(table.columns)[:12]}"
        )
    if table["row"].tolist() != list(range(len(table))):
        raise ValueError("`row` must count from 0 without a gap")
    names = [column.removeprefix("p_") for column in columns]
    strangers = sorted({*table["label"], *table["prediction"]} - set(names))
    if strangers:
        raise ValueError(f"every label and prediction must have a column p_<class>; {strangers[0]} has none")
    evaluation = evaluate(
        table[columns].to_numpy(np.float32), pd.Index(names).get_indexer(pd.Index(table["label"])), names
    )
    if [names[index] for index in evaluation.predictions] != table["prediction"].tolist():
        raise ValueError("every prediction must be the most probable class")
    return evaluation


def markdown(table: pd.DataFrame) -> str:
    """Returns a table in markdown; numbers that are not whole have four digits."""
    cells = [[f"{value:.4f}" if isinstance(value, float) else str(value) for value in row] for row in table.to_numpy()]
    lines = [list(table.columns), ["---"] * len(table.columns), *cells]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def read_predictions(file: Path) -> Evaluation:
    """Reads a table of predictions from a CSV; names such as `NA` are names.

    Raises:
        ValueError: If it is no such table.
    """
    if file.stat().st_size > _MOST_BYTES:
        raise ValueError(f"it must be at most {_MOST_BYTES:,} bytes")
    table = pd.read_csv(file, dtype={"label": str, "prediction": str}, keep_default_na=False)
    for column in {"label", "prediction"} & set(table.columns):
        table[column] = table[column].map(csv_cells.read)
    return evaluation_of(table)
