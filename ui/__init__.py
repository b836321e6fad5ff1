"""The panel: a window beside the DAW that sees only messages, the spool and presets."""
