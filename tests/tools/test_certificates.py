"""Set-up behind a company's own certificates: what the system's store trusts is enough for both installers.

A package index with a certificate of its own stands in for the company's network. In a mount namespace of its own, the
system's store is this one certificate; nothing of the machine changes.
"""

from __future__ import annotations

import functools
import os
import shutil
import ssl
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

STORE = "/etc/ssl/certs/ca-certificates.crt"
INSTALLERS = {
    "pip": [str(REPOSITORY / ".uv" / "bin" / "python"), "-m", "pip", "install", "--no-cache-dir"],
    "uv": [str(REPOSITORY / ".uv" / "bin" / "uv"), "pip", "install", "--no-cache", "--no-config"],
}
PROGRAM = """
import sys
from tools import bootstrap
try:
    bootstrap.download(*sys.argv[1:])
except bootstrap.SetupFailed as failure:
    sys.exit(str(failure))
"""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux"
    or os.geteuid() != 0
    or not os.path.isfile(STORE)
    or None in (shutil.which("openssl"), shutil.which("unshare")),
    reason="only root of a Linux system with openssl and unshare can give a process a certificate store of its own",
)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Tests print nothing."""


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    file = tmp_path / "company.pem"
    names = ["-subj", "/CN=company", "-addext", "subjectAltName=IP:127.0.0.1"]
    names += ["-addext", "basicConstraints=critical,CA:FALSE"]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names]
    subprocess.run([*make, "-keyout", str(file), "-out", str(tmp_path / "only.pem")], check=True, capture_output=True)
    store = (tmp_path / "only.pem").read_text()
    file.write_text(file.read_text() + store)
    (tmp_path / "only.pem").rename(tmp_path / "store.pem")
    return file


@pytest.fixture
def index(tmp_path: Path, certificate: Path) -> Iterator[str]:
    folder = tmp_path / "index" / "simple" / "tiny"
    folder.mkdir(parents=True)
    wheel = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.writestr("tiny.py", "")
        packed.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        packed.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        packed.writestr("tiny-1.0.dist-info/RECORD", "")
    (folder / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path / "index")))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}/simple"
    server.shutdown()
    server.server_close()


def install(installer: str, index: str, target: Path, store: Path | None) -> subprocess.CompletedProcess[str]:
    command = [*INSTALLERS[installer], "--quiet", "--index-url", index, "--target", str(target), "tiny==1.0"]
    program = [sys.executable, "-c", PROGRAM, *command]
    if store is not None:
        program = ["unshare", "--mount", "sh", "-c", f'mount --bind "$0" {STORE} && exec "$@"', str(store), *program]
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "UV_", "SSL_", "REQUESTS_", "CURL_"))
    }
    # The machine's own configuration of pip may name certificates.
    own = {"PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "1", "UV_HTTP_RETRIES": "0"}
    return subprocess.run(
        program, env=kept | own, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("installer", INSTALLERS)
def test_a_certificate_of_the_systems_store_is_trusted(installer: str, index: str, tmp_path: Path) -> None:
    target = tmp_path / "target"
    done = install(installer, index, target, tmp_path / "store.pem")
    assert done.returncode == 0, done.stderr
    assert (target / "tiny.py").exists()
    assert "those this system trusts" in done.stdout


@pytest.mark.parametrize("installer", INSTALLERS)
def test_a_certificate_that_nobody_trusts_is_refused(installer: str, index: str, tmp_path: Path) -> None:
    target = tmp_path / "target"
    done = install(installer, index, target, None)
    assert done.returncode != 0
    assert "Set-up failed at:" in done.stderr and "certificate" in done.stderr.lower()
    assert not (target / "tiny.py").exists()
