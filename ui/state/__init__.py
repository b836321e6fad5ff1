"""What the widgets share, as Qt objects: the session's controller, playback, the job list, the engine's state."""
