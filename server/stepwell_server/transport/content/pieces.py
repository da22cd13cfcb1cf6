"""The bytes of artifacts in and out of messages with two copies less each, which is a third of a transfer's work.

A message whose only field is one of bytes is, on the wire, a tag, their length, and the bytes
(https://protobuf.dev/programming-guides/encoding/).
"""

from stepwell_api.v1 import artifacts_pb2 as pb
from stepwell_server.model.artifacts import Piece
from stepwell_server.transport.ingest.packed import LENGTH_DELIMITED, varint

# 4 bytes of 7 bits each: more than a message of gRPC ever has.
_LENGTH_WIDTH_MAX = 4
_UPLOAD_TAG = varint(pb.UploadRequest.DATA_FIELD_NUMBER << 3 | LENGTH_DELIMITED)
_DOWNLOAD_TAG = varint(pb.DownloadResponse.DATA_FIELD_NUMBER << 3 | LENGTH_DELIMITED)


def parse_upload(message: bytes) -> pb.UploadRequest | memoryview:
    """Return an encoded UploadRequest as a view of its bytes, if it has nothing else, or parsed."""
    if message.startswith(_UPLOAD_TAG):
        for start in range(2, 2 + _LENGTH_WIDTH_MAX):
            if message[1:start] == varint(len(message) - start):
                return memoryview(message)[start:]
    return pb.UploadRequest.FromString(message)


def encode_download(data: Piece) -> bytes:
    """Return the encoded DownloadResponse of some bytes."""
    return b"".join((_DOWNLOAD_TAG, varint(len(data)), data))
