"""The supervisor as its own process: ``python -I -S …/supervisor/__main__.py run … -- CMD``.

With ``-I -S`` neither site-packages nor the user's PYTHON* variables are looked at. The package
is made known by its folder alone, so that no other package's files are searched or imported.
This file is compiled at each start: it is short for that.
"""

import sys

if __name__ == "__main__":
    folder = __file__.rpartition("/")[0] or "."
    for name, path in (("tracer_hooks", folder + "/.."), ("tracer_hooks.supervisor", folder)):
        package = type(sys)(name)
        package.__path__ = [path]
        sys.modules[name] = package
    try:
        from tracer_hooks.supervisor.quick_import import load_for_start

        load_for_start()
    except Exception:  # noqa: S110 - the interpreter's own way remains
        pass
    from tracer_hooks.supervisor.entry import main

    main(sys.argv[1:])
