"""`make windows-check`: the import closure of the Windows wheels, then the product under Wine.

Exit code 0 when all holds, or when this machine cannot run it: then it says so loudly. 1 when something is broken.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from tools.windows_check import import_closure
from tools.windows_check.place import (
    REPOSITORY,
    CannotRun,
    CheckFolder,
    Failed,
    default_place,
    held,
    prepare_root,
    prepare_wheels,
    promised_pythons,
)

COURSE_TIMEOUT_S = 360.0
BANNER = "!" * 100


def main() -> int:
    place = default_place()
    try:
        with held(place):
            check(place)
    except CannotRun as reason:
        print(f"{BANNER}\nwindows-check did NOT run whole on this machine: {reason}\n{BANNER}", flush=True)
        return 0
    except Failed as failure:
        print(f"windows-check FAILED: {failure}", flush=True)
        return 1
    return 0


def check(place: CheckFolder) -> None:
    """Run all of it. Raises CannotRun and Failed."""
    began = time.monotonic()
    prepare_wheels(place)
    unresolved = []
    for version in promised_pythons():
        summary, missing = import_closure.check(place.wheels(version), version)
        print(f"{'FAILED' if missing else 'ok    '}  imports of the Windows wheels: {summary}", flush=True)
        unresolved += missing
    if unresolved:
        raise Failed("\n".join(str(one) for one in unresolved))
    prepare_root(place)
    print(f"ok      the place of the check is ready ({time.monotonic() - began:.1f} s)", flush=True)
    began = time.monotonic()
    run_course(place)
    print(f"windows-check passed; the product ran on Windows' Python for {time.monotonic() - began:.0f} s", flush=True)


def run_course(place: CheckFolder) -> None:
    """Run the steps in namespaces of their own, whose processes end with the first one. Raises Failed."""
    apart = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child"]
    process = subprocess.Popen(
        [*apart, sys.executable, "-m", "tools.windows_check.course", str(place.folder)],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        code = process.wait(COURSE_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise Failed(f"the steps took longer than {COURSE_TIMEOUT_S:g} s") from None
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
    if code != 0:
        raise Failed("see the step above")


if __name__ == "__main__":
    sys.exit(main())
