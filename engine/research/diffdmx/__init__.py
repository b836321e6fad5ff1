"""Diff-DMX (arXiv 2511.21342): a singing voice generated from its mixture, for those who train a network for it."""
