"""Rows, images and files that data sets are made of, and what may happen to them before a training."""
