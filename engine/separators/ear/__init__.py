"""The embedded separator: one pass of a small network per prompt."""
