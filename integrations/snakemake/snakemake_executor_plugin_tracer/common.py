"""What Snakemake asks of an executor plugin before it makes one: local or remote, shared or not.

The answer depends on the inner executor, but Snakemake wants one constant object. So there is one
object, and it takes over the inner executor's answers as soon as the settings name one, which is
before Snakemake reads it.
"""

from dataclasses import fields
from typing import Any

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.settings import CommonSettings

NO_INNER = (None, "", "local")


def _local() -> CommonSettings:
    """The answers of Snakemake's own local executor."""
    return CommonSettings(
        non_local_exec=False,
        implies_no_shared_fs=False,
        job_deploy_sources=False,
        pass_envvar_declarations_to_cmd=True,
        auto_deploy_default_storage_provider=False,
    )


common_settings = _local()


def inner_plugin(name: str) -> Any:
    """The registered executor plugin `name`.

    Raises what Snakemake raises for an executor that is not installed.
    """
    from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

    if name in ("tracer", "dryrun", "touch"):
        raise WorkflowError(f"--tracer-inner {name}: that is no executor that runs jobs")
    return ExecutorPluginRegistry().get_plugin(name)


def behave_like_inner(name: str | None) -> Any:
    """Let `common_settings` answer as the inner executor does; gives its plugin, None if local."""
    if name is None or name in NO_INNER:
        plugin, model = None, _local()
    else:
        plugin = inner_plugin(name)
        model = plugin.common_settings
    for each in fields(CommonSettings):
        setattr(common_settings, each.name, getattr(model, each.name))
    return plugin
