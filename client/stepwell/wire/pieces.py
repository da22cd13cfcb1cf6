"""The bytes of artifacts in and out of messages with two copies less each, which is a third of a transfer's work.

A message whose only field is one of bytes is, on the wire, a tag, their length, and the bytes
(https://protobuf.dev/programming-guides/encoding/).
"""

from typing import TYPE_CHECKING

from stepwell_api.v1 import artifacts_pb2

if TYPE_CHECKING:
    import grpc.aio

Upload = artifacts_pb2.UploadRequest | bytes | memoryview
_SERVICE = artifacts_pb2.DESCRIPTOR.services_by_name["ArtifactService"].full_name
_LENGTH_DELIMITED = 2
# 4 bytes of 7 bits each: more than a message of gRPC ever has.
_LENGTH_WIDTH_MAX = 4


def upload_call(
    channel: "grpc.aio.Channel",
) -> "grpc.aio.StreamUnaryMultiCallable[Upload, artifacts_pb2.UploadResponse]":
    """Return ArtifactService.Upload, which takes its bytes as they are, beside whole messages."""
    return channel.stream_unary(f"/{_SERVICE}/Upload", encode_upload, artifacts_pb2.UploadResponse.FromString)


def download_call(
    channel: "grpc.aio.Channel",
) -> "grpc.aio.UnaryStreamMultiCallable[artifacts_pb2.DownloadRequest, memoryview]":
    """Return ArtifactService.Download, which gives views of its bytes."""
    return channel.unary_stream(
        f"/{_SERVICE}/Download", artifacts_pb2.DownloadRequest.SerializeToString, parse_download
    )


def encode_upload(piece: Upload) -> bytes:
    """Return the encoded UploadRequest of some bytes, or of a message."""
    if isinstance(piece, artifacts_pb2.UploadRequest):
        return piece.SerializeToString()
    return b"".join((_UPLOAD_TAG, _varint(len(piece)), piece))


def parse_download(message: bytes) -> memoryview:
    """Return the bytes of an encoded DownloadResponse."""
    if message.startswith(_DOWNLOAD_TAG):
        for start in range(2, 2 + _LENGTH_WIDTH_MAX):
            if message[1:start] == _varint(len(message) - start):
                return memoryview(message)[start:]
    return memoryview(artifacts_pb2.DownloadResponse.FromString(message).data)


def _varint(number: int) -> bytes:
    groups = []
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*groups, number])


_UPLOAD_TAG = _varint(artifacts_pb2.UploadRequest.DATA_FIELD_NUMBER << 3 | _LENGTH_DELIMITED)
_DOWNLOAD_TAG = _varint(artifacts_pb2.DownloadResponse.DATA_FIELD_NUMBER << 3 | _LENGTH_DELIMITED)
