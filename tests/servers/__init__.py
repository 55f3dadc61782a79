"""Real servers in temporary folders, on free ports, as a user who is not root."""
