"""What the labelled tasks run: each function is one small program with one habit, for SECONDS.

    python programs.py NAME [ARGUMENT …]

Standard library only. They stop by the clock, so that a task lasts as long on any machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import mmap
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

SECONDS = float(os.environ.get("VERDICTS_SECONDS", "2.5"))
PAGE = 4096
ANY = random.Random(1)  # noqa: S311 - which page comes next is no secret
MIB = 1 << 20


def until(seconds: float = SECONDS) -> Iterator[int]:
    """Counts up until the time is over."""
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        yield number
        number += 1


def busy(seconds: float = SECONDS) -> None:
    for _ in until(seconds):
        sum(i * i for i in range(2000))


def busy_writing_a_log(folder: str) -> None:
    with Path(folder, "log").open("w") as log:
        for number in until():
            print(number, sum(i * i for i in range(3000)), file=log, flush=True)


def busy_beside_sleepers() -> None:
    done = threading.Event()
    for _ in range(10):
        threading.Thread(target=done.wait, daemon=True).start()
    busy()
    done.set()


def busy_processes(many: str) -> None:
    own = [sys.executable, __file__, "busy"]
    for child in [subprocess.Popen(own) for _ in range(int(many))]:
        child.wait()


def compress() -> None:
    import lzma

    text = os.urandom(MIB // 2).hex().encode()
    for _ in until():
        lzma.compress(text, preset=6)


def fsync_small(folder: str) -> None:
    with Path(folder, "journal").open("wb", buffering=0) as out:
        for _ in until():
            out.write(b"x" * 200)
            os.fsync(out.fileno())


def replace_files(folder: str) -> None:
    """Write, sync and rename: what a careful program does to each of its small results."""
    for number in until():
        part, whole = Path(folder, "part"), Path(folder, f"result{number % 50}")
        with part.open("wb") as out:
            out.write(b"x" * 3000)
            out.flush()
            os.fsync(out.fileno())
        part.replace(whole)


def direct_reads(path: str) -> None:
    fd, size = os.open(path, os.O_RDONLY | os.O_DIRECT), Path(path).stat().st_size
    with mmap.mmap(-1, PAGE) as page:
        for _ in until():
            os.preadv(fd, [page], ANY.randrange(size // PAGE) * PAGE)


def read_over(path: str, piece: str = str(MIB)) -> None:
    """Read the whole file again and again; it stays in memory if there is room for it."""
    size = int(piece)
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
    total = os.fstat(fd).st_size
    for number in until():
        os.pread(fd, size, number * size % total)


def map_cold(path: str) -> None:
    """Look at a mapped file page by page, each for the first time; memory is plenty."""
    fd = os.open(path, os.O_RDONLY)
    size = os.fstat(fd).st_size
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    with mmap.mmap(fd, 0, prot=mmap.PROT_READ) as mapped:
        mapped.madvise(mmap.MADV_RANDOM)
        for number in until():
            mapped[number * PAGE % size]


def map_over(path: str) -> None:
    """Look at random pages of a mapped file that is larger than the memory allowed."""
    with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        mapped.madvise(mmap.MADV_RANDOM)
        pages = len(mapped) // PAGE
        for _ in until():
            mapped[ANY.randrange(pages) * PAGE]


def heap(size: str) -> None:
    """Fill memory and then touch all of it at random."""
    pages = int(size) // PAGE
    with mmap.mmap(-1, pages * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
        noise = os.urandom(PAGE)
        for number in range(pages):
            held[number * PAGE : (number + 1) * PAGE] = noise
        for _ in until():
            held[ANY.randrange(pages) * PAGE] = 1


def heap_and_map(size: str, path: str) -> None:
    """A heap that leaves the mapped file too little of the memory allowed."""
    with mmap.mmap(-1, int(size), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
        for page in range(0, int(size), PAGE):
            held[page] = 1
        map_over(path)


def connect(port: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(port)))


def download(port: str) -> None:
    with connect(port) as peer:
        for _ in until():
            peer.recv(1 << 16)


def upload(port: str) -> None:
    with connect(port) as peer:
        peer.settimeout(1.0)
        with contextlib.suppress(OSError):
            for _ in until():
                peer.send(b"x" * (1 << 16))


def download_many(port: str) -> None:
    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
        for _ in until():
            await reader.read(1 << 16)
        writer.close()

    async def all_of_them() -> None:
        await asyncio.gather(*(one() for _ in range(4)))

    asyncio.run(all_of_them())


def ask(port: str) -> None:
    """Ask a server that thinks for a long time and answers in a line."""
    with connect(port) as peer:
        for _ in until():
            peer.sendall(b"status?\n")
            peer.recv(100)


def wait_for_lock(path: str) -> None:
    with Path(path).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)


def wait_for_thread() -> None:
    """Threads of one program that wait for each other's lock, whose holder sleeps."""
    lock = threading.Lock()

    def hold() -> None:
        for _ in until():
            with lock:
                time.sleep(0.2)

    workers = [threading.Thread(target=hold) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def start_helpers() -> None:
    for _ in until():
        subprocess.run(["/bin/true"], check=True)


def start_interpreters() -> None:
    for _ in until():
        subprocess.run([sys.executable, "-I", "-S", "-c", "pass"], check=True)


def half_and_half() -> None:
    for _ in until():
        busy(0.15)
        time.sleep(0.15)


def thirds(folder: str) -> None:
    with Path(folder, "journal").open("wb", buffering=0) as out:
        for _ in until():
            busy(0.2)
            for _ in until(0.2):
                out.write(b"x" * 200)
                os.fsync(out.fileno())
            time.sleep(0.2)


def fetch_and_rest(port: str) -> None:
    with connect(port) as peer:
        for _ in until():
            for _ in until(0.25):
                peer.recv(1 << 16)
            time.sleep(0.25)


# Programs that run beside a task, and are no part of it.


def serve_slowly(rate: str = str(8 * MIB)) -> None:
    """Sends to whoever connects, and reads what is sent, at so many bytes a second; prints its
    port first."""
    piece = int(rate) // 100

    def send(peer: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer.sendall(b"x" * piece)
                time.sleep(0.01)

    def receive(peer: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while peer.recv(piece):
                time.sleep(0.01)

    _serve(send, receive)


def answer_late(seconds: str = "0.4") -> None:
    """Answers each line late; prints its port first."""

    def answer(peer: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while peer.recv(100):
                time.sleep(float(seconds))
                peer.sendall(b"running\n")

    _serve(answer)


def hold_lock(path: str) -> None:
    with Path(path).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        print("held", flush=True)
        time.sleep(SECONDS + 1.0)


def _serve(*handlers: Callable[[socket.socket], None]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        # A small window: what was not read yet holds the sender back.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        print(server.getsockname()[1], flush=True)
        while True:
            peer, _ = server.accept()
            for handler in handlers:
                threading.Thread(target=handler, args=(peer,), daemon=True).start()


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
