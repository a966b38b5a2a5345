"""A search for hyper-parameters: its study, its trials, and what it found."""
