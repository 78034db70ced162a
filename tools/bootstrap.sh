#!/bin/sh
# Makes .uv (the installer, in an environment of its own) and .venv (the product's environment).
# Needs a Python 3.11 or newer; everything else comes from the package index.
set -eu
PYTHON="${PYTHON:-python3.11}"
command -v "$PYTHON" >/dev/null 2>&1 || PYTHON=python3
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    echo "Prescient needs Python 3.11 or newer; '$PYTHON' is not. Install it, or run: make PYTHON=/path/to/python3.11" >&2
    exit 1
}
if [ ! -x .uv/bin/uv ]; then
    if ! "$PYTHON" -m venv .uv 2>/dev/null; then
        rm -rf .uv
        # Debian ships venv apart from Python. As root we may add it; anyone else is told how.
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
            echo "Installing python3-venv ..."
            apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
            "$PYTHON" -m venv .uv
        else
            echo "Python's venv module is missing. On Debian: sudo apt-get install python3-venv, then run make again." >&2
            exit 1
        fi
    fi
    .uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
fi
.uv/bin/uv venv --quiet --python "$PYTHON" .venv
