"""What puts ZeroStem onto a machine and takes it away again: so far the service, which starts the daemon at logon."""
