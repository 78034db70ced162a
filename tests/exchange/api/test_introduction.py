"""What `prescient practice` says about itself: one line for programs, and for people lines that run as they are printed."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from practice_exchange.venue.accounts import practice_wallets
from tests.conftest import REPOSITORY
from tests.running import Installation

FIELDS = {
    "gamma_url": "http://127.0.0.1:{port}/gamma",
    "clob_url": "http://127.0.0.1:{port}/clob",
    "data_url": "http://127.0.0.1:{port}/data",
    "relayer_url": "http://127.0.0.1:{port}/relayer",
    "rpc_url": "http://127.0.0.1:{port}/rpc",
    "market_ws_url": "ws://127.0.0.1:{port}/ws/market",
    "user_ws_url": "ws://127.0.0.1:{port}/ws/user",
}
STOP_S = 10


@contextmanager
def practice(home: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`prescient practice`, stopped in order at the end; its log goes to a file."""
    installation = Installation(home)
    home.mkdir(parents=True, exist_ok=True)
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "prescient", "practice", *arguments],
            env=installation.environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(STOP_S)


def output_of(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def test_programs_get_one_line_of_json_before_it_serves_and_nothing_after(tmp_path: Path) -> None:
    with practice(tmp_path, "--json", "--seed", "7", "--port", "0", "--fresh") as process:
        known = json.loads(output_of(process).readline())
        port = int(re.findall(r":(\d+)/", known["clob_url"])[0])
        assert {name: known[name] for name in FIELDS} == {name: url.format(port=port) for name, url in FIELDS.items()}
        assert known["chain_id"] == 137
        assert set(known) == {*FIELDS, "chain_id", "wallets"}
        expected = [
            {
                name: getattr(wallet, name)
                for name in ("private_key", "address", "funder", "wallet_type", "signature_type")
            }
            for wallet in practice_wallets(7)
        ]
        assert known["wallets"] == expected
        assert [wallet["wallet_type"] for wallet in known["wallets"]] == ["eoa", "proxy", "safe", "deposit_wallet"]
        assert get(f"{known['clob_url']}/ok") == "OK"
        assert get(f"{known['gamma_url']}/events?limit=1")
    assert process.returncode == 0
    assert output_of(process).read() == "", "the log does not mix with what programs read"
    assert "practice exchange ready" in (tmp_path / "log").read_text()
    assert not (tmp_path / "practice").exists(), "a fresh world is not kept"


def greeting_of(process: subprocess.Popen[str]) -> list[str]:
    lines = []
    for line in output_of(process):
        lines.append(line.rstrip("\n"))
        if "Ctrl-C" in line:
            break
    return lines


def test_people_get_lines_that_place_an_order_as_they_are_printed(tmp_path: Path) -> None:
    with practice(tmp_path, "--port", "0", "--fresh") as process:
        lines = greeting_of(process)
        said = "\n".join(lines)
        example = [line.removeprefix("    ") for line in lines if line.startswith("    ")]
        assert len(example) == 3
        assert "worth nothing" in said and "never to hold real money" in said
        wallet = practice_wallets(7)[0]
        assert wallet.private_key in said and wallet.address in said
        done = run_python("\n".join(example))
        assert done.returncode == 0, done.stderr
        assert "'status': 'live'" in done.stdout and "'success': True" in done.stdout
        # Twice is two orders: nothing in the lines is used up.
        again = run_python("\n".join(example))
        assert again.returncode == 0 and again.stdout != done.stdout


def blocks_of_the_page() -> list[str]:
    """The two ways that docs/practice-exchange.md shows to point a Python bot at the exchange."""
    page = (REPOSITORY / "docs" / "practice-exchange.md").read_text(encoding="utf-8")
    section = page.partition("## Point a bot at it")[2].partition("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)[:2]


def test_the_examples_of_the_documentation_run(tmp_path: Path) -> None:
    client_example, sdk_example = blocks_of_the_page()
    with practice(tmp_path, "--json", "--port", "0", "--fresh") as process:
        known = json.loads(output_of(process).readline())
        markets = get(f"{known['clob_url']}/sampling-markets")["data"]
        calm = [each for each in markets if each["accepting_orders"] and 0.2 < each["tokens"][0]["price"] < 0.8]
        token_id = max(calm, key=lambda each: each["end_date_iso"] or "")["tokens"][0]["token_id"]
        given = f"known, token_id, wallet = {known!r}, {token_id!r}, {known['wallets'][3]!r}\n"
        here = client_example.replace("http://127.0.0.1:8010/clob", known["clob_url"])
        done = run_python(given + here + "print(client.get_open_orders())")
        assert done.returncode == 0 and "'status': 'LIVE'" in done.stdout, done.stderr
        body = "".join(
            f"    {line}\n" for line in [*sdk_example.splitlines(), "print(await client.get_closed_only_mode())"]
        )
        done = run_python(f"import asyncio\n{given}async def main():\n{body}asyncio.run(main())")
        assert done.returncode == 0 and "False" in done.stdout, done.stderr


def test_the_commands_of_the_documentation_run(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "practice-exchange.md").read_text(encoding="utf-8")
    section = page.partition("## Faults, modes, limits")[2].partition("\n## ")[0]
    commands = [shlex.split(line, comments=True)[1:] for line in section.splitlines() if line.startswith("prescient ")]
    controls = re.findall(r"`POST (/practice/\w+) (\{.*?\})`", section)
    assert len(commands) == 6 and len(controls) == 2
    with practice(tmp_path, "--json", "--port", "0", "--fresh") as process:
        url = json.loads(output_of(process).readline())["clob_url"].removesuffix("/clob")
        for command in commands:
            done = Installation(tmp_path).run(*command, "--port", url.rpartition(":")[2])
            assert done.returncode == 0, (command, done.stderr)
        for path, body in controls:
            request = urllib.request.Request(url + path, data=body.encode(), method="POST")
            with urllib.request.urlopen(request, timeout=10) as answer:
                assert answer.status == 200


def run_python(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=False)


def test_a_recorded_catalogue_says_that_it_can_only_be_read(tmp_path: Path, recorded_data: Path) -> None:
    files = [str(recorded_data / "gamma" / "event-fed-decision-2026-05-17.json")]
    arguments = [part for file in files for part in ("--catalog", file)]
    with practice(tmp_path / "people", "--port", "0", *arguments) as process:
        said = ""
        for line in output_of(process):
            said += line
            if "only be read" in line:
                break
        assert "private key" not in said
    with practice(tmp_path / "programs", "--port", "0", "--json", *arguments) as process:
        known = json.loads(output_of(process).readline())
        assert known["wallets"] == []
        request = urllib.request.Request(f"{known['clob_url']}/order", data=b"{}", method="POST")
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(request, timeout=10)


def test_two_processes_do_not_keep_one_world(tmp_path: Path) -> None:
    with practice(tmp_path, "--json", "--port", "0") as process:
        json.loads(output_of(process).readline())
        other = Installation(tmp_path).run("practice", "--json", "--port", "0")
        assert other.returncode == 4 and other.stdout == ""
        assert "Another process keeps the practice world" in other.stderr and "--fresh" in other.stderr
        assert "Traceback" not in other.stderr
    with practice(tmp_path, "--json", "--port", "0") as process:
        assert json.loads(output_of(process).readline())["chain_id"] == 137


@pytest.mark.parametrize("wrong", [("--port", "70000"), ("--port", "-1"), ("--seed", "x"), ("--speed", "-1")])
def test_nonsense_is_asked_wrongly(tmp_path: Path, wrong: tuple[str, str]) -> None:
    done = Installation(tmp_path).run("practice", "--json", *wrong)
    assert done.returncode == 2 and done.stdout == "" and "Traceback" not in done.stderr


def test_a_shifted_installation_shifts_its_exchange(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "prescient", "practice", "--json", "--fresh"],
        env=installation.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=tmp_path,
    )
    try:
        known = json.loads(output_of(process).readline())
        assert known["clob_url"] == f"http://127.0.0.1:{installation.port(8010)}/clob"
    finally:
        process.terminate()
        process.wait(STOP_S)
