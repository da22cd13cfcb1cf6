"""Messages of bytes that are put together and taken apart by hand are those that protobuf means."""

import pytest

from stepwell.wire import pieces as of_client
from stepwell_api.v1 import artifacts_pb2 as pb
from stepwell_server.transport.content import pieces as of_server

SIZES = [0, 1, 127, 128, 16_383, 16_384, 524_288, 2_097_151, 2_097_152, 4_194_304]


@pytest.mark.parametrize("size", SIZES)
def test_bytes_up(size: int) -> None:
    data = bytes(index % 251 for index in range(min(size, 4_096))).ljust(size, b"\x22")
    message = of_client.encode_upload(data)
    assert pb.UploadRequest.FromString(message) == pb.UploadRequest(data=data)
    assert bytes(of_server.parse_upload(message)) == data


@pytest.mark.parametrize("size", SIZES)
def test_bytes_down(size: int) -> None:
    data = b"\x0a" * size
    message = of_server.encode_download(data)
    assert pb.DownloadResponse.FromString(message) == pb.DownloadResponse(data=data)
    assert of_client.parse_download(message) == data
    assert of_client.parse_download(pb.DownloadResponse(data=data).SerializeToString()) == data


@pytest.mark.parametrize(
    "request_",
    [
        pb.UploadRequest(),
        pb.UploadRequest(run_id="a", upload_id="b", offset_bytes=3),
        pb.UploadRequest(run_id="a", upload_id="b", data=b"c"),
        pb.UploadRequest(offset_bytes=3, data=b'"' * 300),
    ],
)
def test_other_messages_are_parsed(request_: pb.UploadRequest) -> None:
    assert of_client.encode_upload(request_) == request_.SerializeToString()
    assert of_server.parse_upload(request_.SerializeToString()) == request_


def test_the_last_of_two_fields_counts_and_its_order_does_not_matter() -> None:
    twice = (
        pb.UploadRequest(data=b"one").SerializeToString() + pb.UploadRequest(data=b"two").SerializeToString()
    )
    assert of_server.parse_upload(twice) == pb.UploadRequest(data=b"two")
    behind = (
        pb.UploadRequest(data=b"x").SerializeToString() + pb.UploadRequest(run_id="a").SerializeToString()
    )
    assert of_server.parse_upload(behind) == pb.UploadRequest(run_id="a", data=b"x")


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(Exception, match="parsing"):
        of_server.parse_upload(b"\x22\x05abc")
    with pytest.raises(Exception, match="parsing"):
        of_client.parse_download(b"\x0a\x05abc")
