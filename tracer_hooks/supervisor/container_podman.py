"""What podman's own files and its monitor's command line tell of a container."""

from tracer_hooks.supervisor.procfs import Proc

_FILES = ("containers.json", "volatile-containers.json")


def of_monitor(argv: "list[str]") -> "tuple[str, str | None, str | None] | None":
    """(container id, name, bundle) from the command line of conmon; None if it has no id."""
    found = {}  # type: dict[str, str]
    for position, word in enumerate(argv[:-1]):
        if word in ("-c", "--cid", "-n", "--name", "-b", "--bundle") and word not in found:
            found[word.lstrip("-")[0]] = argv[position + 1]
    if "c" not in found:
        return None
    return found["c"], found.get("n"), found.get("b")


def image_name(container_id: str, bundle: "str | None") -> "str | None":
    """The name of a container's image, from the list that lies beside the container's folder."""
    if bundle is None:
        return None
    store = Proc(bundle.partition("/" + container_id)[0])
    for name in _FILES:
        raw = store.read_all(name)
        if not raw or container_id.encode() not in raw:
            continue
        import json

        try:
            for one in json.loads(raw):
                if one.get("id") == container_id:
                    told = json.loads(one.get("metadata") or "{}").get("image-name")
                    return str(told or one["image"])
        except (ValueError, KeyError, AttributeError):
            continue
    return None
