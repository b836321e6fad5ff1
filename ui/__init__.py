"""The panel: a window beside the DAW that will see only messages and presets. Empty so far."""
