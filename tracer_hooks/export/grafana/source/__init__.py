"""The dashboards as code, by Grafana's own typed library.

Needs the development extra. `python -m tracer_hooks.export.grafana.source` writes the JSON files
that the package ships; a test says when they are not what this code makes.
"""
