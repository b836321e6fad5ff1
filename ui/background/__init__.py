"""What runs outside the window's thread: the link to the daemon, tasks in threads, the sound card."""
