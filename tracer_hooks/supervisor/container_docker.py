"""Asking a Docker engine about a container, without waiting for its answer.

The engine's API is HTTP over a Unix socket. A request is sent and left; later looks take what has
come. HTTP/1.0 makes the engine close the connection at the end, and use no chunks.
"""

import posix

_LONGEST = 1 << 20
_PATIENCE_S = 2.0
_VALUED = (
    "--name", "--cidfile", "--label", "-l",
)  # fmt: skip


class DockerRun:
    """What the command line of `docker run` tells of the container that it will start."""

    __slots__ = ("cidfile", "labels", "name", "words")

    def __init__(self, argv: "list[str]") -> None:
        self.name = self.cidfile = None  # type: str | None
        self.labels = []  # type: list[str]
        self.words = argv[1:]
        for position, word in enumerate(argv):
            key, equals, value = word.partition("=")
            if key not in _VALUED:
                continue
            if not equals:
                value = argv[position + 1] if position + 1 < len(argv) else ""
            if key == "--name":
                self.name = value
            elif key == "--cidfile":
                self.cidfile = value
            else:
                self.labels.append(value)

    def choose(self, listed: "list[dict[str, object]]", since: float) -> "str | None":
        """The id of the one container of the engine's list that can be meant; None if none, or
        more than one, can. `since` is UNIX time."""
        fitting = []
        for one in listed:
            labels = one.get("Labels")
            told = set()  # type: set[str]
            if isinstance(labels, dict):
                told = {"%s=%s" % pair for pair in labels.items()} | set(labels)
            created = one.get("Created")
            if not isinstance(created, (int, float)) or created < since - 1:
                continue
            if one.get("Image") in self.words and all(word in told for word in self.labels):
                fitting.append(str(one.get("Id")))
        return fitting[0] if len(fitting) == 1 else None


def is_docker_run(argv: "list[str]") -> bool:
    """Whether a command line is `docker [OPTION…] run …` or `docker container run …`."""
    if not argv or argv[0].rpartition("/")[2] != "docker":
        return False
    return "run" in argv[1:8]


def engine_socket() -> "str | None":
    """The path of the engine's socket; None if it is asked over the network."""
    host = posix.environ.get(b"DOCKER_HOST", b"").decode("utf-8", "surrogateescape")
    if not host:
        return "/var/run/docker.sock"
    return host[7:] if host.startswith("unix://") else None


class Request:
    """One GET. `answer` is the decoded JSON once it is there; `failed` says why there is none."""

    def __init__(self, socket_path: str, path: str, now: float) -> None:
        import _socket

        self.answer = None  # type: object
        self.failed = None  # type: str | None
        self.status = 0
        self._until = now + _PATIENCE_S
        self._raw = b""
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        try:
            self._socket.connect(socket_path)
            self._socket.send(
                ("GET %s HTTP/1.0\r\nHost: docker\r\nAccept: application/json\r\n\r\n" % path)
                .encode("utf-8", "surrogateescape")
            )  # fmt: skip
        except OSError as error:
            self._end("%s: %s" % (socket_path, error.strerror))

    @property
    def done(self) -> bool:
        """Whether there is an answer, or none will come."""
        return self.answer is not None or self.failed is not None

    def look(self, now: float) -> bool:
        """Take what has come; True once it is all there is."""
        while not self.done:
            try:
                chunk = self._socket.recv(1 << 16)
            except BlockingIOError:
                if now > self._until:
                    self._end("the engine did not answer within %d s" % _PATIENCE_S)
                break
            except OSError as error:
                self._end(str(error.strerror))
                break
            self._raw += chunk
            if len(self._raw) > _LONGEST:
                self._end("the engine's answer is too long")
            elif not chunk:
                self._parse()
        return self.done

    def _parse(self) -> None:
        import json

        head, _, body = self._raw.partition(b"\r\n\r\n")
        try:
            self.status = int(head.split(b" ", 2)[1])
            answer = json.loads(body)
        except (ValueError, IndexError):
            self._end("the engine's answer was not understood")
            return
        if self.status == 200:
            self.answer = answer
        self._end(None if self.status == 200 else "the engine answered %d" % self.status)

    def _end(self, why: "str | None") -> None:
        self.failed = why
        self._socket.close()
