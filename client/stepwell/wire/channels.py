"""Channels of gRPC, and how they are kept alive."""

import grpc
import grpc.aio

from stepwell.addresses import Address
from stepwell.wire import tls

MESSAGE_BYTES_MAX = 8 * 2**20
# A connection of which nothing was heard for 20 s is asked for a sign of life and given up 10 s later, so that a
# half-open one is noticed within 30 s. Servers allow such pings no more often than every 10 s. gRPC also pings to
# measure the bandwidth, does not ask for a sign of life meanwhile, and would wait a minute for that other answer.
KEEPALIVE_TIME_MS = 20_000
KEEPALIVE_TIMEOUT_MS = 10_000
# What a stream may send before it is read. gRPC's own estimate of what the way holds grows to tens of megabytes where
# machines are busy; 4 MiB are 80 MB/s at 50 ms to the server.
STREAM_WINDOW_BYTES = 4 * 2**20
# gRPC tries to connect again by itself; it must not fall asleep for its default of two minutes.
RECONNECT_FIRST_MS = 200
RECONNECT_MAX_MS = 5_000
# A name may lead elsewhere when its server is away: it is looked up again no more often than this.
RESOLVE_AGAIN_MS = 1_000
# Of the addresses of a name each client takes another one first; in the order of DNS all would go to the same server.
ANY_ADDRESS = '{"loadBalancingConfig": [{"pick_first": {"shuffleAddressList": true}}]}'

_OPTIONS = (
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", STREAM_WINDOW_BYTES),
    ("grpc.keepalive_time_ms", KEEPALIVE_TIME_MS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    ("grpc.http2.ping_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    ("grpc.initial_reconnect_backoff_ms", RECONNECT_FIRST_MS),
    ("grpc.min_reconnect_backoff_ms", RECONNECT_FIRST_MS),
    ("grpc.max_reconnect_backoff_ms", RECONNECT_MAX_MS),
    ("grpc.dns_min_time_between_resolutions_ms", RESOLVE_AGAIN_MS),
    ("grpc.service_config", ANY_ADDRESS),
)


def open_channel(address: Address, roots: bytes | None, name: str) -> grpc.aio.Channel:
    """Open a channel to a server; `roots` and `name` are what `tls.channel_roots` says."""
    if not address.secure:
        return grpc.aio.insecure_channel(address.target, _OPTIONS)
    credentials = grpc.ssl_channel_credentials(roots, *tls.client_pair())
    named = (("grpc.ssl_target_name_override", name),) if name else ()
    return grpc.aio.secure_channel(address.target, credentials, (*_OPTIONS, *named))
