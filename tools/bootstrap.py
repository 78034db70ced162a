"""Makes the environments that Prescient runs in: .uv (the installer, alone) and .venv (the product).

Used by the Makefile and by start_servers.bat. Does nothing when what is installed is what the requirement files say.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
UV_FOLDER = REPOSITORY / ".uv"
PRODUCT_FOLDER = REPOSITORY / ".venv"
PROGRAMS = "Scripts" if os.name == "nt" else "bin"
SUFFIX = ".exe" if os.name == "nt" else ""
REQUIREMENTS = REPOSITORY / "requirements"
RUNTIME = (REPOSITORY / "requirements.txt", REQUIREMENTS / "build.txt")
PROJECT = REPOSITORY / "pyproject.toml"
DEVELOPMENT = (REQUIREMENTS / "dev.txt",)
OLDEST, NEWEST = (3, 11), (3, 13)
# Companies sign the traffic of their networks with certificates that only the system's store knows.
CERTIFICATE_ERRORS = ("CERTIFICATE_VERIFY_FAILED", "invalid peer certificate")
CERTIFICATE_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
# Debian ships the part of Python that makes virtual environments in a package of its own.
VENV_PACKAGE = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
# "0" forbids that set-up installs anything outside this folder.
SYSTEM_PACKAGES_VARIABLE = "PRESCIENT_INSTALL_SYSTEM_PACKAGES"


class SetupFailed(Exception):
    """Set-up cannot go on; the message says what to do."""


def main(arguments: list[str]) -> int:
    """Set up for running, with ``--dev`` for checking as well; returns the exit code."""
    try:
        set_up(development="--dev" in arguments)
    except SetupFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


def set_up(*, development: bool) -> None:
    """Bring both environments up to date."""
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        why = " (coincurve, which signs orders, has no package for it yet)" if sys.version_info[:2] > NEWEST else ""
        raise SetupFailed(
            f"Prescient needs Python 3.11, 3.12 or 3.13; {sys.executable} is {sys.version.split()[0]}{why}. "
            "Install one, or name it: make PYTHON=/path/to/python3.13"
        )
    runtime_stamp = PRODUCT_FOLDER / ".runtime"
    if not up_to_date(runtime_stamp, (*RUNTIME, PROJECT)):
        print("Setting up Prescient (only the first time, or after an update) ...", flush=True)
        uv = installer()
        if not (PRODUCT_FOLDER / PROGRAMS / f"python{SUFFIX}").exists():
            run(uv, "venv", "--quiet", "--python", sys.executable, str(PRODUCT_FOLDER))
        install(uv, RUNTIME)
        run(
            uv,
            "pip",
            "install",
            "--quiet",
            "--python",
            product(),
            "--no-deps",
            "--no-build-isolation",
            "-e",
            str(REPOSITORY),
        )
        run(product(), "-m", "compileall", "-q", str(REPOSITORY / "src"))
        stamp(runtime_stamp, (*RUNTIME, PROJECT))
    development_stamp = PRODUCT_FOLDER / ".dev"
    if development and not up_to_date(development_stamp, DEVELOPMENT):
        print("Installing what the checks need ...", flush=True)
        install(installer(), DEVELOPMENT)
        stamp(development_stamp, DEVELOPMENT)


def installer() -> str:
    """Return the path of uv, installed by hash into an environment of its own if it is not there."""
    uv = UV_FOLDER / PROGRAMS / f"uv{SUFFIX}"
    if not uv.exists():
        make_environment(UV_FOLDER)
        pip = [str(UV_FOLDER / PROGRAMS / f"python{SUFFIX}"), "-m", "pip", "install", "--quiet"]
        download(*pip, "--disable-pip-version-check", "--require-hashes", "-r", str(REQUIREMENTS / "uv.txt"))
    return str(uv)


def make_environment(folder: Path) -> None:
    """Make a virtual environment with pip, and install the system's package for that where this Python comes without."""
    command = [sys.executable, "-m", "venv", str(folder)]
    made = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if made.returncode == 0:
        return
    shutil.rmtree(folder, ignore_errors=True)
    if can_make_environments():
        # Something else is wrong, such as a full disk.
        raise SetupFailed(f"Set-up failed at: {' '.join(command)}\n{(made.stderr or made.stdout).strip()}")
    install_venv_package()
    run(*command)


def can_make_environments() -> bool:
    """Whether this Python has both modules that an environment with pip takes."""
    probe = [sys.executable, "-c", "import ensurepip, venv"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def install_venv_package() -> None:
    """Install Debian's package, as root and unless it is forbidden. Raises SetupFailed with the command to type instead."""
    missing = f"{sys.executable} cannot make virtual environments: it comes without the modules venv and ensurepip."
    if os.name == "nt" or shutil.which("apt-get") is None:
        raise SetupFailed(f"{missing} Install them, or name another Python: make PYTHON=/path/to/python3.11")
    command = f"apt-get install {VENV_PACKAGE}"
    if os.environ.get(SYSTEM_PACKAGES_VARIABLE) == "0":
        raise SetupFailed(
            f"{missing} {SYSTEM_PACKAGES_VARIABLE}=0 forbids installing them; type this, then run again: {command}"
        )
    if os.geteuid() != 0:
        raise SetupFailed(f"{missing} Type this, then run again: sudo {command}")
    print(
        f"Installing the system package {VENV_PACKAGE}, because this Python cannot make virtual environments without it "
        f"({SYSTEM_PACKAGES_VARIABLE}=0 forbids this) ...",
        flush=True,
    )
    run("apt-get", "update", "-qq")
    run("apt-get", "install", "-y", "-qq", VENV_PACKAGE)


def install(uv: str, files: tuple[Path, ...]) -> None:
    """Install what the files name, compiled at once: the first start is then as quick as every other."""
    named = [part for file in files for part in ("-r", str(file))]
    download(uv, "pip", "install", "--quiet", "--python", product(), "--require-hashes", "--compile-bytecode", *named)


def product() -> str:
    return str(PRODUCT_FOLDER / PROGRAMS / f"python{SUFFIX}")


def download(*command: str) -> None:
    """Run an installer, and once more with the system's certificates where its own do not do. Raises SetupFailed."""
    code, said = attempt(command, {})
    if code != 0 and any(sign in said for sign in CERTIFICATE_ERRORS):
        print("The package index shows a certificate of its own; trying with those this system trusts ...", flush=True)
        code, said = attempt(command, system_certificates())
    sys.stderr.write(said)
    if code != 0:
        raise SetupFailed(f"Set-up failed at: {' '.join(command)}")


def attempt(command: tuple[str, ...], extra: dict[str, str]) -> tuple[int, str]:
    """Run a command; return its exit code and what it wrote to standard error."""
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=os.environ | extra,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    return done.returncode, done.stderr


def system_certificates() -> dict[str, str]:
    """The settings by which uv and pip take the system's store. An old pip can do so through a file alone."""
    file = next((name for name in CERTIFICATE_FILES if os.path.isfile(name)), None)
    return {"UV_SYSTEM_CERTS": "true"} | ({"PIP_CERT": file} if file else {"PIP_USE_FEATURE": "truststore"})


def run(*command: str) -> None:
    """Run a command whose output people may see. Raises SetupFailed."""
    done = subprocess.run(command, cwd=REPOSITORY, check=False)
    if done.returncode != 0:
        raise SetupFailed(f"Set-up failed at: {' '.join(command)}")


def digest(files: tuple[Path, ...]) -> str:
    """The content of some files, and where the project lies: a folder that was moved is set up anew."""
    whole = hashlib.sha256(str(REPOSITORY).encode())
    for file in files:
        whole.update(file.read_bytes())
    return whole.hexdigest()


def up_to_date(stamp_file: Path, files: tuple[Path, ...]) -> bool:
    return stamp_file.exists() and stamp_file.read_text(encoding="ascii").strip() == digest(files)


def stamp(stamp_file: Path, files: tuple[Path, ...]) -> None:
    stamp_file.write_text(f"{digest(files)}\n", encoding="ascii")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
