"""Many inputs: a folder or a watched inbox, through the same `separate` as one file, by processes of their own."""
