"""What people and programs read: one file per format, each takes the results of the analysis.

The module can be called, so that `tracer_hooks.report("latest")` gives the report of a run.
"""

import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Callable(ModuleType):
    def __call__(self, *args: "Any", **options: "Any") -> "Any":
        """See `tracer_hooks.reading.report`."""
        from tracer_hooks.reading import report

        return report(*args, **options)


sys.modules[__name__].__class__ = _Callable
