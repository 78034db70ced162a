"""What a process is told from outside: the environment, then the ``.env`` files of one rule; frozen, read once.

Risk and strategy parameters are not here; they are rows (docs/architecture.md, decision 11).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PrivateAttr, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from polymarket_kit.env_files import ENCODING, default_home, env_files
from prescient.service_table import SERVICES

PORT_PRACTICE = 8010
PORT_POSTGRES = 8011


class Settings(BaseSettings):
    """One process's settings; ``read_settings`` makes them. A key without a value counts as not given.

    Unknown keys in ``.env`` are left alone: the file may serve other programs too.
    """

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True, env_file_encoding=ENCODING)
    _files: tuple[Path, ...] = PrivateAttr(())

    home: Path = Field(default_factory=default_home, validation_alias="PRESCIENT_HOME")
    port_shift: int = Field(0, ge=0, le=50_000, validation_alias="PRESCIENT_PORT_SHIFT")
    venue: Literal["practice", "polymarket"] = Field("practice", validation_alias="PRESCIENT_VENUE")
    gamma_url: str = Field("", validation_alias="PRESCIENT_GAMMA_URL")
    clob_url: str = Field("", validation_alias="PRESCIENT_CLOB_URL")
    stream_url: str = Field("", validation_alias="PRESCIENT_STREAM_URL")
    seed: int = Field(7, ge=0, le=2**31, validation_alias="PRESCIENT_SEED")
    speed: float = Field(1.0, gt=0, le=100_000, validation_alias="PRESCIENT_SPEED")
    # The practice world stands still: for tests, and for looking at one moment at leisure.
    frozen: bool = Field(False, validation_alias="PRESCIENT_FROZEN")
    # Seconds from a paper trade's match to the chain, and the share of paper trades that fail there and are undone.
    # Without the first: the practice exchange's plan, or at once in a world that stands still.
    settlement_s: float | None = Field(None, ge=0, le=86_400, validation_alias="PRESCIENT_PAPER_SETTLEMENT_S")
    failed_fills: float = Field(0.0, ge=0, le=1, validation_alias="PRESCIENT_PAPER_FAILED_FILLS")
    strategy_files: str = Field("", validation_alias="PRESCIENT_STRATEGIES")

    postgres_host: str = Field("", validation_alias="POSTGRES_HOST")
    postgres_port: int = Field(5432, ge=1, le=65_535, validation_alias="POSTGRES_PORT")
    postgres_db: str = Field("prescient_os", validation_alias="POSTGRES_DB")
    postgres_user: str = Field("postgres", validation_alias="POSTGRES_USER")
    postgres_password: SecretStr = Field(SecretStr(""), validation_alias="POSTGRES_PASSWORD")

    price_update_interval_s: int = Field(300, ge=1, le=86_400, validation_alias="PRICE_UPDATE_INTERVAL")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", validation_alias="PYTHON_LOG_LEVEL")
    decisions_keep_days: int = Field(14, ge=1, le=3650, validation_alias="PRESCIENT_DECISIONS_KEEP_DAYS")
    snapshots_keep_days: int = Field(30, ge=1, le=3650, validation_alias="PRESCIENT_SNAPSHOTS_KEEP_DAYS")

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @property
    def files(self) -> tuple[Path, ...]:
        """The ``.env`` files that were read, the strongest last."""
        return self._files

    @property
    def service_ports(self) -> dict[str, int]:
        """The port of each of our services by its name, shifted so that two installations live side by side."""
        return {service.name: service.port + self.port_shift for service in SERVICES}

    def port(self, service: str) -> int:
        """The port of one of our services. Raises KeyError for a name that is not one of them."""
        return self.service_ports[service]

    @property
    def practice_port(self) -> int:
        return PORT_PRACTICE + self.port_shift

    @property
    def embedded_postgres_port(self) -> int:
        return PORT_POSTGRES + self.port_shift

    @property
    def uses_embedded_postgres(self) -> bool:
        return not self.postgres_host


def read_settings() -> Settings:
    """Read the environment and the files that count. Raises EnvFileWrong, and pydantic's ValidationError."""
    files = env_files()
    settings = Settings(_env_file=files)
    settings._files = files
    return settings
