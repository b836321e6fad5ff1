"""How good and how quick the engine is on this machine: one file per question, each prints a markdown table."""
