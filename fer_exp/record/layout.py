"""Where everything is in the folder of a run, and among its artifacts, which have the same paths."""

FIGURES, TABLES, TFLITE, MODELS = "figures", "tables", "tflite", "model"
UPLOADED = (FIGURES, TABLES, TFLITE, MODELS)
"""Folders that a run records when it has ended well, as far as they are there."""

CONFIG = "config"
RESOLVED, OVERRIDES = f"{CONFIG}/resolved.yaml", f"{CONFIG}/overrides.yaml"
MODEL = f"{MODELS}/model.keras"
PREDICTIONS, EXPORTS = f"{TABLES}/predictions.csv", f"{TABLES}/exports.csv"
CARD = f"{TFLITE}/model_card.md"
PAGE, CONSOLE = "report.html", "console.txt"
OUTBOX = "outbox"
"""Records that wait for the tracking server; no artifact."""
