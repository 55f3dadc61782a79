"""`python -m tracer_hooks COMMAND` is `tracer-hooks COMMAND`."""

from tracer_hooks.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
