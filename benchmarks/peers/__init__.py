"""One file for each peer: its task, and its client. Each is loaded only in that peer's own environment."""
