"""Sound in files: the one place that finds out what an audio file holds and reads it, for engine, daemon and panel.

`containers` and `streams` look at bytes and decide what lies where; `decoding` turns what is compressed into a temporary file
of plain samples, by FFmpeg's libraries; `reading` puts an `AudioFile` together, whose samples can be read from anywhere.
"""

from host_bridge.sound.reading import AudioFile, Reader, audio_file, pcm_length_s, regular_file

__all__ = ["AudioFile", "Reader", "audio_file", "pcm_length_s", "regular_file"]
