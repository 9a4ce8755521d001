"""Opens connections at a steady rate, one page each, and says which of them failed.

usage: load.py RATE SECONDS|- URL_ADDRESS

Prints a line when it begins. With "-" it goes on until the end of its input. A connection failed when it has not got its
page within 2 s, or was refused or reset: there is no second try. Prints JSON: {"attempts": n, "failed": [[second,
reason], ...], "ms": [...], "beginNs": CLOCK_MONOTONIC, "pages": [[second, page], ...]}, with the seconds at which
connections were opened.
"""
import asyncio
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


async def end_of_input():
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def main(rate, seconds, address):
    begin = time.monotonic()
    result = {"beginNs": time.monotonic_ns(), "ms": [], "failed": [], "pages": []}
    print("begun", flush=True)

    async def one():
        start = time.monotonic()
        try:
            text = await asyncio.wait_for(page(address), TIMEOUT_S)
            result["ms"].append((time.monotonic() - start) * 1000)
            result["pages"].append([start - begin, text])
        except (OSError, asyncio.TimeoutError) as error:
            result["failed"].append([start - begin, repr(error)])

    ended = asyncio.create_task(end_of_input()) if seconds == "-" else None
    tasks = []
    while not ended.done() if ended else len(tasks) < int(rate * float(seconds)):
        await asyncio.sleep(max(0, begin + len(tasks) / rate - time.monotonic()))
        tasks.append(asyncio.create_task(one()))
    await asyncio.gather(*tasks)
    print(json.dumps({**result, "attempts": len(tasks)}))


asyncio.run(main(float(sys.argv[1]), sys.argv[2], sys.argv[3]))
