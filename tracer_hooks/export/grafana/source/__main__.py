"""Write the dashboards' JSON: `python -m tracer_hooks.export.grafana.source [FOLDER]`."""

from __future__ import annotations

import sys
from pathlib import Path

from tracer_hooks.export.grafana.source.boards import written

if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "dashboards"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in written().items():
        (folder / name).write_text(text, encoding="utf-8")
