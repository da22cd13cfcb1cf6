from collections import Counter
from contextlib import AsyncExitStack

import grpc
import grpc.aio

from stepwell.addresses import Address
from stepwell.wire.channels import open_channel

CLIENTS = 40


async def test_clients_of_a_name_with_several_addresses_spread_over_them() -> None:
    asked: Counter[str] = Counter()

    async def serve(host: str, port: int, stack: AsyncExitStack) -> int:
        async def answer(_request: bytes, _context: object) -> bytes:
            asked[host] += 1
            return b""

        server = grpc.aio.server()
        server.add_registered_method_handlers(
            "any.Service", {"Call": grpc.unary_unary_rpc_method_handler(answer)}
        )
        port = server.add_insecure_port(f"{host}:{port}")
        await server.start()
        stack.push_async_callback(server.stop, 0)
        return port

    async with AsyncExitStack() as stack:
        port = await serve("127.0.0.1", 0, stack)
        await serve("127.0.0.2", port, stack)
        name = Address(f"ipv4:127.0.0.1:{port},127.0.0.2:{port}", secure=False)  # as gRPC has it from DNS
        for _ in range(CLIENTS):
            async with open_channel(name, None, "") as channel:
                await channel.unary_unary("/any.Service/Call", _registered_method=True)(b"")
    assert asked.total() == CLIENTS
    assert min(asked["127.0.0.1"], asked["127.0.0.2"]) > 0
