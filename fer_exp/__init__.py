"""fer_exp: config-driven experiments in facial-expression recognition."""

__version__ = "0.1.0"
