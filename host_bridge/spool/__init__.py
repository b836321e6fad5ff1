"""Jobs on disk: a folder per job, its JSON documents, recovery, watching and delivery (SPOOL.md)."""
