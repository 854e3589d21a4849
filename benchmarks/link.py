"""`python -m benchmarks.link PORT SECONDS`: a long link to a local port, until stdin closes; prints its own port.

It answers each line with the number of bytes that it has carried back from the local port, and with the number of gRPC
calls that went there.

Every byte takes half the round-trip time in each direction, and so does opening a connection. As much as is sent may be
under way, so that it is a long link and not a narrow one.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class _Calls:
    """Counts the calls: each begins with one HEADERS frame of HTTP/2, and a client sends no others."""

    _PREFACE = len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    _HEAD, _HEADERS = 9, 1

    def __init__(self) -> None:
        self.count = 0

    def connection(self) -> Callable[[bytes], None]:
        """What is to be called with the bytes of one connection."""
        left, skip = bytearray(), self._PREFACE

        def carried(data: bytes) -> None:
            nonlocal skip
            left.extend(data)
            while len(left) >= skip + self._HEAD:
                del left[:skip]
                self.count += left[3] == self._HEADERS
                skip = self._HEAD + int.from_bytes(left[:3], "big")

        return carried


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float, carried: Callable[[bytes], None]
) -> None:
    """Bring bytes from one end to the other, each `delay` seconds after it was sent."""
    loop = asyncio.get_running_loop()
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        while True:
            due, data = await under_way.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not data:
                writer.close()
                return
            writer.write(data)

    delivery = asyncio.create_task(deliver())
    try:
        while data := await reader.read(1 << 16):
            carried(data)
            under_way.put_nowait((loop.time() + delay, data))
    except ConnectionError:
        pass
    under_way.put_nowait((loop.time() + delay, b""))
    await delivery


async def _serve(port: int, round_trip: float) -> None:
    delay = round_trip / 2
    sizes: list[int] = []
    calls = _Calls()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(round_trip)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        # asyncio would report a connection that is open when the link is taken down.
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(
                _carry(reader, far_writer, delay, calls.connection()),
                _carry(far_reader, writer, delay, lambda data: sizes.append(len(data))),
            )

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    closed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def answer() -> None:
        for _ in sys.stdin:
            print(sum(sizes), calls.count, flush=True)
        loop.call_soon_threadsafe(closed.set)

    threading.Thread(target=answer, daemon=True).start()
    await closed.wait()


def main() -> None:
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))


if __name__ == "__main__":
    main()
