"""Predictions of a trained model for images, folders, CSV files and videos: `python -m fer_exp.predict`.

Entered through `__main__` alone. `predicting` does what the command line asks for; `sources` is what is predicted,
`faces` what of it the model sees, `work` how it gets there, `outputs` and `annotated` what becomes of it. The model
itself comes from `fer_exp.run.trained`.
"""
