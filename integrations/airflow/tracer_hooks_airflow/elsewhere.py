"""Operators whose work is done elsewhere: their process here starts it, and waits.

What such a task's own process does is recorded as every task's is. That it only waited is no
finding about the work, so the card says where that ran.
"""

from __future__ import annotations

# By the name of a class that the operator is or derives from.
_ELSEWHERE = {
    "KubernetesPodOperator": "a Kubernetes pod",
    "KubernetesJobOperator": "a Kubernetes job",
    "DockerOperator": "a Docker container",
    "DockerSwarmOperator": "a Docker Swarm service",
    "EcsRunTaskOperator": "an ECS task",
    "BatchOperator": "an AWS Batch job",
    "SSHOperator": "another host, over SSH",
    "DatabricksSubmitRunOperator": "Databricks",
    "DatabricksRunNowOperator": "Databricks",
    "CloudRunExecuteJobOperator": "a Cloud Run job",
    "DataprocSubmitJobOperator": "Dataproc",
    "EmrAddStepsOperator": "an EMR cluster",
    "GlueJobOperator": "an AWS Glue job",
    "SageMakerTrainingOperator": "SageMaker",
    "BigQueryInsertJobOperator": "BigQuery",
    "TriggerDagRunOperator": "another DAG run",
}


def elsewhere(task: object) -> str | None:
    """Where an operator's work runs, in words; None if it runs in the task's own process tree."""
    for kind in type(task).__mro__:
        place = _ELSEWHERE.get(kind.__name__)
        if place is not None:
            return place
    return None
