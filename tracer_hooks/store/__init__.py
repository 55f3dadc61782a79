"""The store: spools become Parquet, and Parquet is read (DESIGN 6)."""

from __future__ import annotations

from tracer_hooks.store.ingest import IngestResult
from tracer_hooks.store.schema import SCHEMA_VERSION, TABLES
from tracer_hooks.store.store import Store, StoreWarning

__all__ = ["SCHEMA_VERSION", "TABLES", "IngestResult", "Store", "StoreWarning"]
