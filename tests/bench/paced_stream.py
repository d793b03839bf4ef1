"""serve PORT: answers GET /stream with 100 NDJSON lines, one each 20 ms, each with its time of sending.
load PORT N LABEL [PID]: N such streams at once; prints the delay a chunk took, and a process's memory a stream."""
import asyncio
import json
import sys
import time

LINES = 100


async def serve(port):
    async def answer(reader, writer):
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n")
                for i in range(LINES):
                    line = b'{"i":%d,"t":%d}\n' % (i, time.monotonic_ns())
                    writer.write(b"%x\r\n%s\r\n" % (len(line), line))
                    await writer.drain()
                    await asyncio.sleep(0.02)
                writer.write(b"0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


async def stream(port, delays, ended):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    lines = 0
    while line := await reader.readline():
        if line.startswith(b"{"):
            delays.append((time.monotonic_ns() - json.loads(line)["t"]) / 1000)
            lines += 1
    ended.append(lines == LINES)
    writer.close()


def rss(pid):
    return int(next(l.split()[1] for l in open(f"/proc/{pid}/status") if l.startswith("VmRSS")))


async def load(port, count, label, pid):
    delays, ended = [], []
    before = rss(pid) if pid else 0
    tasks = [asyncio.create_task(stream(port, delays, ended)) for _ in range(count)]
    await asyncio.sleep(1.5)
    memory = f", {(rss(pid) - before) / count:.1f} KiB of memory a stream" if pid else ""
    results = await asyncio.gather(*tasks, return_exceptions=True)
    delays.sort()
    failed = sum(isinstance(r, Exception) for r in results) + ended.count(False)
    print(f"delay of a chunk through {label}: p50 {delays[len(delays) // 2]:.0f} us, p99 {delays[len(delays) * 99 // 100]:.0f} us, {failed} failed{memory}")


if sys.argv[1] == "serve":
    asyncio.run(serve(int(sys.argv[2])))
else:
    asyncio.run(load(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5]) if len(sys.argv) > 5 else 0))
