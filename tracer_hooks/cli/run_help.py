"""What `tracer-hooks run --help` says; apart from `run`, which every supervised task imports."""

HELP = """\
usage: tracer-hooks run [OPTIONS] [--] COMMAND [ARGUMENT ...]

Run COMMAND and record what it and everything it starts did: CPU, waiting, memory, disk.
The command behaves as it does alone, and its exit status becomes that of `tracer-hooks run`.

who this is:
  --run ID           the run it belongs to; give several commands the same (default: a new one)
  --pipeline NAME    the workflow's name
  --step NAME        the kind of work (default: the command's name)
  --task ID          this instance of the step (default: made from the step)
  --attempt N        which attempt at the task this is (default: 1)
  --sample NAME      the biological sample
  --tag KEY=VALUE    anything else worth knowing; may be repeated

what was asked for, to compare with what is used:
  --cpus N           cores: 4, 0.5
  --memory SIZE      4G, 512MiB, 1.5GB, 1000000 (K M G T are 1024s, KB MB GB TB are 1000s)
  --time DURATION    90 (seconds), 30m, 1h30m, 2d, 01:30:00, 1-00:00:00

how to watch:
  --store DIR        where the record goes (default: $TRACER_HOOKS_STORE, or .tracer here)
  --capture HOW      auto, perf, taskstats or poll (default: auto, the best that is permitted)
  --interval S       steady seconds between two readings
  --no-argv          keep command lines out of the record
  --verbose          say on stderr what could not be observed

examples:
  tracer-hooks run -- samtools sort -@ 4 -o out.bam in.bam
  tracer-hooks run --run nightly --step align --sample A1 --cpus 8 --memory 16G -- ./align.sh A1
  tracer-hooks report
"""
