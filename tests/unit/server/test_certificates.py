"""What is made for trying, and what is said of files that cannot be used."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from stepwell_server.commands.certificates import certificates
from stepwell_server.errors import StartupError
from stepwell_server.process.tls.certificates import FILE_BYTES_MAX, load
from tests.harness.servers.certificates import CertificateSet, make_certificates


@pytest.fixture
def made(tmp_path: Path) -> CertificateSet:
    return make_certificates(tmp_path / "made", "tracker.example.org", "*.example.net", "10.0.0.7", "::1")


def test_what_is_made_can_be_used(made: CertificateSet) -> None:
    certificate = load(made.files)
    assert certificate.names == ("tracker.example.org", "*.example.net", "10.0.0.7", "::1")
    for host in ("Tracker.example.org", "a.example.net", "10.0.0.7", "[::1]"):
        assert certificate.covers(host)
    for host in ("example.org", "a.b.example.net", "10.0.0.8", "example.net"):
        assert not certificate.covers(host)


def test_keys_are_their_owners_alone(made: CertificateSet) -> None:
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in made.folder.iterdir()}
    assert len(modes) == 6
    assert {mode for name, mode in modes.items() if name.endswith("-key.pem")} == {0o600}
    assert {mode for name, mode in modes.items() if not name.endswith("-key.pem")} == {0o644}


def test_the_command_keeps_the_authority(tmp_path: Path) -> None:
    out = tmp_path / "certificates"
    told = CliRunner().invoke(certificates, ["make", "--out", str(out), "--host", "tracker.example.org"])
    assert told.exit_code == 0, told.output
    assert "STEPWELL_TLS_CA=" in told.output
    before = (out / "ca.pem").read_bytes(), (out / "server.pem").read_bytes()
    again = CliRunner().invoke(certificates, ["make", "--out", str(out)])
    assert again.output.startswith("Kept the authority")
    after = (out / "ca.pem").read_bytes(), (out / "server.pem").read_bytes()
    assert before[0] == after[0]
    assert before[1] != after[1]
    (out / "ca-key.pem").unlink()
    refused = CliRunner().invoke(certificates, ["make", "--out", str(out)])
    assert refused.exit_code == 1
    assert "name another --out" in refused.output


@pytest.mark.parametrize("host", ["https://tracker", "tracker:5000", "a b", "", "10.0.0.0/8"])
def test_hosts_that_are_none(tmp_path: Path, host: str) -> None:
    done = CliRunner().invoke(certificates, ["make", "--out", str(tmp_path / "out"), "--host", host])
    assert done.exit_code == 1
    assert "has to be like tracker.example.org" in done.output
    assert not (tmp_path / "out").exists()


def _no_pem(key: Path) -> None:
    key.write_text("no pem")


def _encrypted(key: Path) -> None:
    loaded = load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")))


def _of_another_kind(key: Path) -> None:
    made = Ed25519PrivateKey.generate()
    key.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@pytest.mark.parametrize(
    ("break_key", "text"),
    [
        (_no_pem, "holds no private key in PEM form"),
        (_encrypted, "is encrypted with a password"),
        (_of_another_kind, "RSA or of an elliptic curve"),
        (Path.unlink, "cannot be read: No such file"),
        (lambda key: key.write_bytes(b"x" * (FILE_BYTES_MAX + 1)), "which no PEM file has"),
        (lambda key: key.chmod(0o644), r"can be read by everybody.*mode 644.*chmod 600"),
        (lambda key: key.with_name("client-key.pem").replace(key), "is not the key of the certificate"),
    ],
)
def test_keys_that_cannot_be_used(
    made: CertificateSet, break_key: Callable[[Path], object], text: str
) -> None:
    break_key(Path(made.files.key))
    with pytest.raises(StartupError, match=f"(?s)--tls-key .*{text}") as caught:
        load(made.files)
    assert "\n" not in str(caught.value)


def test_certificates_that_cannot_be_used(made: CertificateSet, tmp_path: Path) -> None:
    Path(made.files.certificate).write_text("no pem")
    with pytest.raises(StartupError, match=r"--tls-cert .* holds no certificate in PEM form"):
        load(made.files)
    expired = make_certificates(tmp_path / "expired", days=-0.01)
    with pytest.raises(StartupError, match=r"--tls-cert .* expired at 20\d\d-.* UTC"):
        load(expired.files)
