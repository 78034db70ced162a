"""What a run was started with counts for the commands beside it, and after it, until the environment says otherwise."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from prescient.cli.running import plan_of
from prescient.settings import Settings
from prescient.supervisor.home import Home, ProcessMark, RunState
from prescient.supervisor.last_run import OtherDatabase, check_database, of_the_run
from prescient.supervisor.plan import Choice, Plan
from prescient.wiring import database_name, source_info
from tests.prescient.supervisor.running import Running, tiny


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("PRESCIENT_VENUE", raising=False)
    monkeypatch.delenv("PRESCIENT_SEED", raising=False)
    return Settings(PRESCIENT_HOME=tmp_path, _env_file=None)


def test_without_any_run_the_settings_stand_and_nothing_is_left_behind(settings: Settings, tmp_path: Path) -> None:
    absent = settings.model_copy(update={"home": tmp_path / "absent"})
    assert of_the_run(absent) is absent
    assert of_the_run(settings) is settings
    assert not (tmp_path / "absent").exists()


def test_the_last_run_names_the_database_when_nothing_runs(settings: Settings) -> None:
    Home(settings.home).keep_choice(Choice("polymarket", 7))
    assert database_name(of_the_run(settings)) == "prescient_os_polymarket"
    Home(settings.home).keep_choice(Choice("practice", 12))
    found = of_the_run(settings)
    assert (database_name(found), source_info(found).name) == ("prescient_os_practice_12", "practice-12")


def test_the_present_run_comes_before_the_last(settings: Settings) -> None:
    home = Home(settings.home)
    home.keep_choice(Choice("polymarket", 7))
    assert home.try_lock()
    mark = ProcessMark.of(os.getpid())
    home.write_state(RunState("ready", mark, "a test", "now", choice=Choice("practice", 5)))
    assert source_info(of_the_run(settings)).name == "practice-5"
    home.unlock()
    assert source_info(of_the_run(settings)).name == "polymarket"


@pytest.mark.parametrize(("name", "value"), [("PRESCIENT_VENUE", "practice"), ("PRESCIENT_SEED", "7")])
def test_an_environment_that_names_a_source_is_obeyed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    Home(settings.home).keep_choice(Choice("polymarket", 9))
    monkeypatch.setenv(name, value)
    assert source_info(of_the_run(settings)).name == "practice-7"


@pytest.mark.parametrize("content", ["{", "[]", '{"venue": "elsewhere", "seed": 1}', '{"venue": "practice"}'])
def test_a_broken_file_is_as_good_as_none(settings: Settings, content: str) -> None:
    (settings.home / "last_run.json").write_text(content)
    assert of_the_run(settings) == settings


def test_a_supervisor_keeps_its_choice_beyond_its_end(settings: Settings, tmp_path: Path) -> None:
    chosen = settings.model_copy(update={"venue": "polymarket", "seed": 3})
    choice = plan_of(chosen).choice
    assert choice == Choice("polymarket", 3, 0, "prescient_os on the embedded server")
    plan = Plan(home=str(tmp_path), source="a test", children=(tiny("one", tmp_path / "diary"),), choice=choice)
    running = Running.of_plan(plan)
    try:
        running.wait_until_says("Prescient is ready")
        kept = json.loads((tmp_path / "supervisor.json").read_text())["choice"]
        assert (kept["venue"], kept["seed"], kept["port_shift"]) == ("polymarket", 3, 0)
        assert source_info(of_the_run(settings)).name == "polymarket"
        running.process.terminate()
        assert running.end() == 0
    finally:
        running.clean_up()
    assert database_name(of_the_run(settings)) == "prescient_os_polymarket"


def test_the_ports_are_those_of_what_runs_whatever_the_environment_says(settings: Settings) -> None:
    home = Home(settings.home)
    choice = Choice("practice", 7, port_shift=300)
    home.keep_choice(choice)
    assert of_the_run(settings).service_ports["events"] == 8000, (
        "nothing runs: the next start takes the settings' ports"
    )
    assert home.try_lock()
    home.write_state(RunState("ready", ProcessMark.of(os.getpid()), "a test", "now", choice=choice))
    try:
        assert of_the_run(settings).service_ports["events"] == 8300
    finally:
        home.unlock()


def test_another_database_than_the_homes_is_refused_with_the_cure(settings: Settings) -> None:
    check_database(settings)
    kept = Choice("practice", 7, database="prescient_os on localhost:5432", env_files=("/home/you/rb/.env",))
    Home(settings.home).keep_choice(kept)
    with pytest.raises(OtherDatabase, match=r"PRESCIENT_ENV_FILE=/home/you/rb/\.env") as refused:
        check_database(settings)
    assert "prescient up --change-database" in str(refused.value)
    check_database(settings.model_copy(update={"postgres_host": "127.0.0.1"}))
    with pytest.raises(OtherDatabase):
        check_database(settings.model_copy(update={"postgres_host": "127.0.0.1", "postgres_db": "another"}))


def test_a_record_of_an_earlier_version_names_no_database(settings: Settings) -> None:
    (settings.home / "last_run.json").write_text('{"venue": "practice", "seed": 7}')
    check_database(settings)
    assert of_the_run(settings).port_shift == 0
