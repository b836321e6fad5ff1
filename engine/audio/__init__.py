"""Sound as samples: reading a file, cutting it into chunks, STFT, and measurements on the files as written."""
