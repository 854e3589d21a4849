"""`python -m benchmarks.link PORT SECONDS`: a long link to a local port, until stdin closes; prints its own port.

It answers each line with the number of bytes that it has carried back from the local port.

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


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float, carried: Callable[[int], None]
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
            carried(len(data))
            under_way.put_nowait((loop.time() + delay, data))
    except ConnectionError:
        pass
    under_way.put_nowait((loop.time() + delay, b""))
    await delivery


async def _serve(port: int, round_trip: float) -> None:
    delay = round_trip / 2
    sizes: list[int] = []

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(round_trip)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        # asyncio would report a connection that is open when the link is taken down.
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(
                _carry(reader, far_writer, delay, lambda _: None), _carry(far_reader, writer, delay, sizes.append)
            )

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    closed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def answer() -> None:
        for _ in sys.stdin:
            print(sum(sizes), flush=True)
        loop.call_soon_threadsafe(closed.set)

    threading.Thread(target=answer, daemon=True).start()
    await closed.wait()


def main() -> None:
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))


if __name__ == "__main__":
    main()
