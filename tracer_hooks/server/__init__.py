"""`tracer-hooks serve`: metrics, report pages and health over HTTP, for reading alone."""
