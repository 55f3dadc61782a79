"""Nextflow: a hook before each task's script, the part that runs in the engine, and the launcher.

`nextflow run … -c tracer.config` compiles engine/*.groovy at the first task. For each task that
places a call of task.sh before its own beforeScript, and task.sh has the task run under the
supervisor. recorder.py keeps the run's own record. See docs/nextflow.md.
"""
