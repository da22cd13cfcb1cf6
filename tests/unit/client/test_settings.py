"""Where the client finds its settings, and which tracking URIs it takes."""

import pytest

from stepwell import StepwellException, settings
from stepwell.addresses import Address


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRACKING_URI", "EXPERIMENT_NAME", "EXPERIMENT_ID", "RUN_ID", "RUN_CONTEXT"):
        for prefix in ("STEPWELL", "MLFLOW"):
            # Set first, so that the end of the test also undoes what the code under test sets.
            monkeypatch.setenv(f"{prefix}_{name}", "")
            monkeypatch.delenv(f"{prefix}_{name}")


def test_default() -> None:
    assert settings.tracking_uri() == "http://127.0.0.1:5000"
    assert not settings.is_tracking_uri_set()


def test_ours_goes_before_mlflows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "grpc://theirs:1")
    assert settings.tracking_uri() == "grpc://theirs:1"
    monkeypatch.setenv("STEPWELL_TRACKING_URI", "grpc://ours:1")
    assert settings.tracking_uri() == "grpc://ours:1"


def test_a_chosen_uri_is_left_to_children(monkeypatch: pytest.MonkeyPatch) -> None:
    settings.set_tracking_uri("grpc://chosen:7")
    assert settings.os.environ["STEPWELL_TRACKING_URI"] == "grpc://chosen:7"
    assert settings.is_tracking_uri_set()


def test_a_run_id_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", "a" * 32)
    assert [settings.take_run_id(), settings.take_run_id()] == ["a" * 32, None]


@pytest.mark.parametrize(
    ("uri", "target", "secure", "page"),
    [
        ("grpc://127.0.0.1:50051", "127.0.0.1:50051", False, ""),
        ("grpc://tracker/", "tracker:50051", False, ""),
        ("grpcs://tracker.example.org:443", "tracker.example.org:443", True, ""),
        ("grpc://[::1]:7", "[::1]:7", False, ""),
        ("http://tracker:5000/", "tracker:5000", False, "http://tracker:5000"),
        ("http://tracker", "tracker:80", False, "http://tracker"),
        ("https://tracker/sub/path/", "tracker:443", True, "https://tracker/sub/path"),
        ("http://[::1]:5000", "[::1]:5000", False, "http://[::1]:5000"),
    ],
)
def test_uris(uri: str, target: str, secure: bool, page: str) -> None:
    assert settings.parse_uri(uri) == Address(target, secure, page)


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("http://", "the host is missing"),
        ("http://tracker:70000", "the port"),
        ("http://user:word@tracker:1", "stand before the host"),
        ("https://tracker/?q=1", "nothing may follow"),
        ("sqlite:///mlflow.db", "names no Stepwell server"),
        ("./mlruns", "names no Stepwell server"),
        ("tracker:50051", "names no Stepwell server"),
        ("grpc://", "the host is missing"),
        ("grpc://tracker:port", "the port"),
        ("grpc://tracker:70000", "the port"),
        ("grpc://tracker:1/path", "nothing may follow"),
        ("grpc://user:word@tracker:1", "nothing may follow"),
        ("grpc://a:1,", "a host is missing beside a comma"),
        ("grpc://a:1,,b:2", "a host is missing beside a comma"),
        ("grpc://a:1,grpc://b:2", "the scheme stands once, as in grpc://a:1,b:2"),
        ("grpc://a:1,b:x", "the port"),
        ("grpc://a:1,b:2/path", "nothing may follow"),
        ("grpc://a:1,b:2,a:1", "the same server twice"),
        ("grpc://" + ",".join(f"a:{port}" for port in range(1, 18)), "17 servers; name at most 16"),
        ("http://a:1/path,b:2/path", "before the path, as in http://a:1,b:2/path"),
    ],
)
def test_not_uris(uri: str, text: str) -> None:
    with pytest.raises(StepwellException, match=text) as caught:
        settings.set_tracking_uri(uri)
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"
    assert "http://HOST:PORT" in str(caught.value)


def test_one_uri_names_several_servers() -> None:
    assert settings.parse_uri("grpcs://a:1, b,[::1]:3").places == (
        Address("a:1", secure=True),
        Address("b:50051", secure=True),
        Address("[::1]:3", secure=True),
    )
    found = settings.parse_uri("http://a:5000,b:5001/path")
    assert [place.page for place in found.places] == ["http://a:5000/path", "http://b:5001/path"]
    assert found.name == "http://a:5000/path, http://b:5001/path"
    assert settings.is_same_server("grpc://a:1,b:2", "grpc://b:2,a:1")
    assert not settings.is_same_server("grpc://a:1,b:2", "grpc://a:1")


def test_a_bad_uri_is_named_with_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("MLFLOW_TRACKING_URI", "STEPWELL_TRACKING_URI"):
        monkeypatch.setenv(variable, "./mlruns")
        with pytest.raises(StepwellException, match=rf"'\./mlruns' \(from {variable}\) cannot"):
            settings.parse_uri(settings.tracking_uri())


def test_the_context_of_runs_is_a_json_object(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.run_context() == {}
    monkeypatch.setenv("MLFLOW_RUN_CONTEXT", '{"job": 17}')
    assert settings.run_context() == {"job": 17}
    monkeypatch.setenv("STEPWELL_RUN_CONTEXT", "job=17")
    with pytest.raises(StepwellException, match="STEPWELL_RUN_CONTEXT is 'job=17'"):
        settings.run_context()


@pytest.mark.parametrize("text", ["soon", "-1", "inf", "nan"])
def test_times(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    assert settings.flush_timeout_s() == settings.FLUSH_TIMEOUT_S_DEFAULT
    monkeypatch.setenv("STEPWELL_FLUSH_TIMEOUT_S", text)
    with pytest.raises(StepwellException, match="STEPWELL_FLUSH_TIMEOUT_S"):
        settings.flush_timeout_s()
