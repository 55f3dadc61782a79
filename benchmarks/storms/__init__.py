"""What the storm benchmarks share: the workload, its truth, and the conditions it runs under."""
