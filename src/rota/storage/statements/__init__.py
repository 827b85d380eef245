"""Statements by noun: said in SQLAlchemy Core, compiled once to text, run by the driver itself."""
