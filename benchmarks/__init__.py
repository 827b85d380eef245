"""Rota and its peers on the same work, in one run. docs/benchmarks.md has the method; `make bench` runs it."""
