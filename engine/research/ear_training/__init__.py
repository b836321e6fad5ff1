"""Training the ear: sounds, mixtures and the loop."""
