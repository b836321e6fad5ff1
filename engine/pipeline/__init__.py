"""From a region and a request to masks and stems: inference, masking, rendering, cache, sidecar."""
