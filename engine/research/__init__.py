"""Benchmarks, experiments and the training of pocket: nothing that a user's separation imports."""
