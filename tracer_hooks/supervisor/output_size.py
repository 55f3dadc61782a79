"""How large a task's output is, at a bounded cost: the engine waits while this looks."""

import posix

MAX_ENTRIES = 1000  # a stat is 2 µs on a local disk, and can be 1 ms on a network one
_KIND, _FOLDER = 0o170000, 0o040000  # of st_mode; the module stat would be one more to load


def size_of(paths: "list[str]") -> "int | None":
    """The summed size in bytes of the files at `paths`, and of all files in the folders there.

    None if nothing is there, if a folder can't be read, or if there is more to look at than
    MAX_ENTRIES: half a sum is no size. A link counts as what it leads to where it is named, and
    not at all within a folder. Raises nothing.
    """
    if len(paths) > MAX_ENTRIES:
        return None
    total, found = 0, False
    folders = []  # type: list[str]
    for path in paths:
        try:
            facts = posix.stat(path)
        except (OSError, ValueError):
            continue
        found = True
        if facts.st_mode & _KIND == _FOLDER:
            folders.append(path)
        else:
            total += facts.st_size
    within = _size_within(folders, MAX_ENTRIES - len(paths))
    return None if within is None or not found else total + within


def _size_within(folders: "list[str]", left: int) -> "int | None":
    """The sizes of all files below `folders`; None if those are more than `left` entries."""
    total = 0
    try:
        while folders:
            with posix.scandir(folders.pop()) as entries:
                for entry in entries:
                    left -= 1
                    if left < 0:
                        return None
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        total += entry.stat(follow_symlinks=False).st_size
    except OSError:
        return None
    return total
