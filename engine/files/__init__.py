"""Files that the engine writes or reads beside plain sound: outputs, videos, pictures of spectrograms."""
