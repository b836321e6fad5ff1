"""What puts ZeroStem into a DAW and takes it out again. Empty so far."""
