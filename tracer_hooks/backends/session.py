"""A Spark session for analyses, quiet and in UTC; what is missing is said in one line."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tracer_hooks.errors import TracerError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_PATIENCE_S = 10.0
_LOGGING = Path(__file__).with_name("log4j2.properties")


def spark_session(engine: str) -> SparkSession:
    """The process's Spark session, started if there is none yet.

    Raises TracerError if pyspark or Java is missing, or if no master answers.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise TracerError(
            f"the engine {engine} needs pyspark: pip install 'tracer-hooks[spark]'"
        ) from error
    running = SparkSession.getActiveSession()
    if running is not None:
        return running
    _check_java()
    if engine.startswith("spark://"):
        _check_master(engine)
    return _started(engine)


def _started(engine: str) -> SparkSession:
    from pyspark import SparkConf, SparkContext
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql import SparkSession

    conf = SparkConf().setAppName("tracer-hooks")
    for name, value in _settings(engine).items():
        conf = conf.set(name, value)
    # Java and Spark greet at length on stderr; what they say matters only if they don't start.
    with tempfile.TemporaryFile() as heard:
        try:
            gateway = launch_gateway(  # type: ignore[no-untyped-call]
                conf, popen_kwargs={"stdout": heard, "stderr": heard}
            )
            return SparkSession(SparkContext(gateway=gateway, conf=conf))
        except Exception as error:  # whatever py4j and Java raise
            heard.seek(0)
            said = _reason(f"{error}\n{heard.read().decode(errors='replace')}")
            raise TracerError(f"cannot start Spark for the engine {engine}: {said}") from error


def _reason(text: str) -> str:
    """The line that tells most of what Java said."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if "Exception: " in line or "Error: " in line]
    return (telling or lines or ["it gave no reason"])[-1][:300]


def _settings(engine: str) -> dict[str, str]:
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={_LOGGING.as_uri()}",
        "spark.sql.session.timeZone": "UTC",
    }
    if engine == "spark":
        return settings  # the master that spark-defaults.conf or SPARK_HOME's settings name
    settings["spark.master"] = "local[*]" if engine == "local" else engine
    if engine.startswith("local"):
        # On one machine the default of 200 tasks for each aggregate is all overhead; nor should
        # anything listen where others could reach it.
        settings["spark.sql.shuffle.partitions"] = str(os.cpu_count() or 1)
        settings["spark.driver.host"] = settings["spark.driver.bindAddress"] = "127.0.0.1"
    return settings


def _check_java() -> None:
    home = os.environ.get("JAVA_HOME")
    if home and (Path(home) / "bin" / "java").exists():
        return
    if shutil.which("java") is None or home:
        where = f"JAVA_HOME is {home}, where there is none" if home else "there is none on the PATH"
        raise TracerError(
            f"Spark needs Java 17 or later, and {where}: install it "
            "(Debian: apt install openjdk-17-jre-headless)"
        )


def _check_master(engine: str) -> None:
    """Spark itself would go on trying for a minute."""
    host, _, port = engine.removeprefix("spark://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _PATIENCE_S).close()
    except (OSError, OverflowError) as error:
        raise TracerError(
            f"no Spark master answers at {host}:{port} ({error}): is it running?"
        ) from error
