"""A server is asked as MLflow asks it: with its user, token and certificates, and only for what MLflow needs."""

import base64
import json
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fer_exp.errors import TrackingError
from fer_exp.record import mlflow_store

Answer = tuple[int, str, str]  # status, content type, content
EXPERIMENTS: Answer = (200, "application/json", json.dumps({"experiments": []}))
LOGIN: Answer = (200, "text/html", "<html>Please log in</html>")


@contextmanager
def server(answer: Callable[[str, str], Answer], certificate: Path | None = None) -> Iterator[str]:
    """Runs a server that answers by path and `Authorization`; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, content = answer(self.path.partition("?")[0], self.headers.get("Authorization", ""))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content.encode())

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as opened:
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            opened.socket = context.wrap_socket(opened.socket, server_side=True)
            scheme = "https"
        threading.Thread(target=opened.serve_forever, daemon=True).start()
        try:
            yield f"{scheme}://127.0.0.1:{opened.server_address[1]}"
        finally:
            opened.shutdown()


@pytest.fixture(autouse=True)
def _nobody_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("USERNAME", "PASSWORD", "TOKEN", "INSECURE_TLS", "SERVER_CERT_PATH", "CLIENT_CERT_PATH"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))  # where MLflow looks for credentials too


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def only(authorization: str) -> Callable[[str, str], Answer]:
    """Answers to one user; `/health` is behind the same door."""
    return lambda path, given: EXPERIMENTS if given == authorization else (401, "text/plain", "You are not logged in.")


def asked(uri: str, last: bool = True) -> bool:
    return mlflow_store._answers(uri, 5.0, last)


def test_user_and_password_are_those_of_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    with server(only(basic("me", "secret"))) as uri:
        assert asked(uri)


def test_so_is_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "abc")
    with server(only("Bearer abc")) as uri:
        assert asked(uri)


def test_so_is_the_file_of_credentials(tmp_path: Path) -> None:
    (tmp_path / ".mlflow").mkdir()
    content = "[mlflow]\nmlflow_tracking_username = me\nmlflow_tracking_password = secret\n"
    (tmp_path / ".mlflow" / "credentials").write_text(content)
    with server(only(basic("me", "secret"))) as uri:
        assert asked(uri)


def test_user_and_password_may_stand_in_the_address() -> None:
    with server(only(basic("me", "secret"))) as uri:
        assert asked(uri.replace("//", "//me:secret@"))


def test_a_server_that_lets_nobody_in_is_told_with_what_it_says_and_asked_once() -> None:
    with server(only(basic("me", "secret"))) as uri, pytest.raises(TrackingError) as caught:
        asked(uri, last=False)  # no patience changes that
    said = str(caught.value)
    assert "it answers 401 Unauthorized (You are not logged in)." in said
    assert "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN" in said


def test_a_server_needs_no_page_of_its_health() -> None:
    missing: Answer = (404, "text/html", "<h1>Not Found</h1>")
    with server(lambda path, given: EXPERIMENTS if path.startswith("/api/2.0/mlflow/") else missing) as uri:
        assert asked(uri)


def test_a_server_may_lie_below_a_path() -> None:
    below = lambda path, given: EXPERIMENTS if path.startswith("/team/api/2.0/mlflow/") else LOGIN  # noqa: E731
    with server(below) as uri:
        assert asked(f"{uri}/team/")
        with pytest.raises(TrackingError, match="Is a part of the path missing"):
            asked(uri)


@pytest.mark.parametrize("answer", [LOGIN, (404, "text/plain", "nothing here"), (200, "application/json", "[]")])
def test_a_server_of_something_else_is_told(answer: Answer) -> None:
    with server(lambda path, given: answer) as uri, pytest.raises(TrackingError) as caught:
        asked(uri)
    assert f"must be a server of MLflow: this one answers {answer[0]} " in str(caught.value)


def test_a_server_that_is_starting_is_asked_again_and_told_in_the_end() -> None:
    with server(lambda path, given: (503, "text/plain", "starting")) as uri:
        assert not asked(uri, last=False)
        with pytest.raises(TrackingError, match="must be a server that answers within 5 seconds: it answers 503"):
            asked(uri)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody has signed, with its key."""
    file = tmp_path / "server.pem"
    key = tmp_path / "server.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", file],
        check=True, capture_output=True,
    )  # fmt: skip
    file.write_bytes(file.read_bytes() + key.read_bytes())
    return file


def test_a_certificate_that_nobody_knows_is_told_with_what_to_do(certificate: Path) -> None:
    with server(lambda path, given: EXPERIMENTS, certificate) as uri, pytest.raises(TrackingError) as caught:
        asked(uri)
    assert "CERTIFICATE_VERIFY_FAILED" in str(caught.value)
    assert "MLFLOW_TRACKING_SERVER_CERT_PATH" in str(caught.value)


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")  # as it was asked for
@pytest.mark.parametrize("trusted", [True, False])
def test_certificates_are_checked_as_mlflow_is_told_to(
    trusted: bool, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if trusted:
        monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(certificate))
    else:
        monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
    with server(lambda path, given: EXPERIMENTS, certificate) as uri:
        assert asked(uri)


def test_two_ways_to_treat_certificates_at_once_are_told(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(certificate))
    monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
    with pytest.raises(TrackingError, match="server_cert_path"):
        asked("https://127.0.0.1:9")
