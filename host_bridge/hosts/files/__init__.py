"""DAWs that are reached through their files alone: a REAPER project that is closed, a DAWproject for everyone else."""
