"""From soundfonts to a checkpoint: how pocket was trained, as code that trains it again."""
