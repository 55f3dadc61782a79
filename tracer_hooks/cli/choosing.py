"""Which runs a command looks at that can look at many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.cli.parsing import positive
from tracer_hooks.errors import TracerError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from tracer_hooks.cli.output import Progress
    from tracer_hooks.store import Store


def add_runs(parser: argparse.ArgumentParser) -> None:
    """`RUN…`, `--pipeline`, `--last`."""
    parser.add_argument(
        "runs", nargs="*", metavar="RUN",
        help="runs: ids, unique prefixes or `latest` (the default)",
    )  # fmt: skip
    parser.add_argument("--pipeline", metavar="NAME", help="only runs of this pipeline")
    parser.add_argument(
        "--last", metavar="N", type=positive,
        help="the newest N runs, of the latest run's pipeline unless --pipeline names another",
    )  # fmt: skip


def chosen_runs(
    options: argparse.Namespace, progress: Progress, on_warning: Callable[[str], None]
) -> tuple[Store, list[str]]:
    """The store and the ids of the runs that `options` name, each once; all are ingested.

    Raises TracerError if there is no such run, or where runs of several pipelines are mixed.
    """
    from tracer_hooks.reading import ingest
    from tracer_hooks.store import Store

    store = Store(options.store, on_warning=on_warning)
    if options.runs and options.last:
        raise UsageError("name runs, or say --last N")
    if options.runs:
        ids = list(dict.fromkeys(store.resolve(run) for run in options.runs))
        if options.pipeline:
            of_pipeline = set(newest(store, options.pipeline, None))
            ids = [run_id for run_id in ids if run_id in of_pipeline]
            if not ids:
                raise TracerError(f"none of these is a run of pipeline {options.pipeline!r}")
    elif options.last or options.pipeline:
        ids = newest(store, options.pipeline, options.last)
    else:
        ids = [store.resolve("latest")]
    for run_id in ids:
        ingest(store, run_id, progress)
    if not options.pipeline:
        _one_pipeline(store, ids)
    return store, ids


def newest(
    store: Store, pipeline: str | None, last: int | None, before: str | None = None
) -> list[str]:
    """The newest `last` runs (None: all) of a pipeline, newest first; without a name that of the
    latest run, or of `before`. With `before`, only runs that started before that one."""
    runs = store.runs().sort_values("started_at", ascending=False, na_position="last")
    if before is not None:
        own = runs[runs["run_id"] == before].iloc[0]
        earlier = runs[runs["started_at"] < own["started_at"]]
    else:
        own, earlier = runs.iloc[0], runs
    name = pipeline if pipeline is not None else own["pipeline"]
    nameless = name is None or name != name
    same = earlier["pipeline"].isna() if nameless else earlier["pipeline"] == name
    found = [str(run_id) for run_id in earlier[same]["run_id"]]
    if not found:
        of = "without a pipeline's name" if nameless else f"of pipeline {name!r}"
        what = f"no {'earlier ' if before else ''}run {of} in {store.place}"
        raise TracerError(f"{what}: name both runs" if before else what)
    return found[:last]


def run_tables(store: Store, run_ids: Sequence[str], names: Sequence[str]) -> dict[str, pa.Table]:
    """These tables of these runs, one under the other."""
    import pyarrow as pa

    return {
        name: pa.concat_tables([store.table(name, run_id) for run_id in run_ids]) for name in names
    }


def _one_pipeline(store: Store, run_ids: Sequence[str]) -> None:
    if len(run_ids) < 2:
        return
    runs = store.runs()
    names = sorted({str(n) for n in runs[runs["run_id"].isin(list(run_ids))]["pipeline"].dropna()})
    if len(names) > 1:
        raise TracerError(
            f"these are runs of {len(names)} pipelines ({', '.join(names[:4])}), whose steps may"
            " differ under the same name: choose runs of one, or say --pipeline NAME"
        )
