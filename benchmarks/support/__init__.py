"""What the benchmarks share: a hospital that costs nothing, a centre, what a process took."""
