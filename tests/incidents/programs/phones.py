"""Phones that listen, one to each address: phones.py ADDRESS PORT FIRST COUNT"""

import asyncio
import ipaddress
import sys


async def phone(source: str) -> None:
    to = sys.argv[1], int(sys.argv[2])
    reader, _ = await asyncio.open_connection(*to, local_addr=(source, 0))
    while await reader.read(1000):
        pass


async def main() -> None:
    first = ipaddress.ip_address(sys.argv[3])
    await asyncio.gather(*(phone(str(first + number)) for number in range(int(sys.argv[4]))))


asyncio.run(main())
