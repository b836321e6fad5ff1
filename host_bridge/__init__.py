"""What a DAW, the engine and the panel say to each other, and the command line. No torch and no Qt here."""
