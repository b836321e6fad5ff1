"""What the panel knows and decides, in plain Python: no Qt, no sound card, nothing that has to be looked at to be tested."""
