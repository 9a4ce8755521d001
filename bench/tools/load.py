"""Opens connections at a steady rate, one page each, and says which of them failed.

usage: load.py RATE SECONDS|- URL_ADDRESS [KEPT]

Prints a line when it begins. With "-" it goes on until the end of its input. A connection failed when it has not got its
page within 2 s, or was refused or reset: there is no second try. Prints JSON: {"attempts": n, "failed": [[second,
reason], ...], "ms": [...], "beginNs": CLOCK_MONOTONIC, "pages": [[second, page], ...]}, with the seconds at which
connections were opened. KEPT connections more are opened first and asked once a second each; "kept" says the same of
their requests; one that fails is asked no more.
"""
import asyncio
import itertools
import json
import sys
import time

TIMEOUT_S = 2


async def page(address):
    reader, writer = await asyncio.open_connection(address, 80)
    try:
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        answer = await reader.read(4096)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise ConnectionError("no page")
        return answer.rpartition(b"\r\n")[2].decode().strip()
    finally:
        writer.close()


async def kept_page(reader, writer):
    writer.write(b"GET / HTTP/1.1\r\nHost: vip\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise ConnectionError("no page")
    await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))


async def end_of_input():
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def main(rate, seconds, address, kept=0):
    opened = [await asyncio.open_connection(address, 80) for _ in range(kept)]
    begin = time.monotonic()
    result = {"beginNs": time.monotonic_ns(), "ms": [], "failed": [], "pages": [], "kept": {"asked": 0, "failed": []}}
    print("begun", flush=True)

    async def one():
        start = time.monotonic()
        try:
            text = await asyncio.wait_for(page(address), TIMEOUT_S)
            result["ms"].append((time.monotonic() - start) * 1000)
            result["pages"].append([start - begin, text])
        except (OSError, asyncio.TimeoutError) as error:
            result["failed"].append([start - begin, repr(error)])

    async def keep(nth, reader, writer):
        for second in itertools.count():
            await asyncio.sleep(max(0, begin + second + nth / kept - time.monotonic()))
            start = time.monotonic() - begin
            try:
                result["kept"]["asked"] += 1
                await asyncio.wait_for(kept_page(reader, writer), TIMEOUT_S)
            except (OSError, EOFError, asyncio.TimeoutError) as error:
                result["kept"]["failed"].append([start, repr(error)])
                return

    keeping = [asyncio.create_task(keep(nth, *one)) for nth, one in enumerate(opened)]
    ended = asyncio.create_task(end_of_input()) if seconds == "-" else None
    tasks = []
    while not ended.done() if ended else len(tasks) < int(rate * float(seconds)):
        await asyncio.sleep(max(0, begin + len(tasks) / rate - time.monotonic()))
        tasks.append(asyncio.create_task(one()))
    await asyncio.gather(*tasks)
    for task in keeping:
        task.cancel()
    print(json.dumps({**result, "attempts": len(tasks)}))


asyncio.run(main(float(sys.argv[1]), sys.argv[2], sys.argv[3], *map(int, sys.argv[4:])))
