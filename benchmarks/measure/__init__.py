"""Starts the processes of a row, has its driver do the work, and takes the figures."""
