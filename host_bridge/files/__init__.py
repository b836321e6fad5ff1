"""Files that are whole or not there: atomic writes and renames, and small files with sentences for errors."""
