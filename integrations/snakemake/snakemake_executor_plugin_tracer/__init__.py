"""Snakemake executor plugin of tracer-hooks: `snakemake --executor tracer --cores 4`.

Snakemake imports every installed executor plugin at each start, whichever is used. So importing
this one is cheap and never fails: where Snakemake's inside is not as we know it, `Executor` is the
stock local executor.
"""

from snakemake_executor_plugin_tracer import handover
from snakemake_executor_plugin_tracer.common import common_settings
from snakemake_executor_plugin_tracer.settings import ExecutorSettings

__all__ = ["Executor", "ExecutorSettings", "common_settings"]

try:
    from snakemake_executor_plugin_tracer.executor import Executor
except Exception as error:
    from snakemake.executors.local import Executor  # type: ignore[no-redef]

    from snakemake_executor_plugin_tracer.complaints import complain, explain

    complain("import", f"the executor tracer is the stock local executor here ({explain(error)})")

_received = handover.received()
if _received is not None:
    from snakemake_executor_plugin_tracer.remote import trace_this_process

    trace_this_process(_received)
