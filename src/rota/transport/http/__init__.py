"""REST: every verb that a person can ask, as JSON over HTTP, by one table of routes."""
