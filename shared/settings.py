"""Settings every service has. Values come from the environment; `.env.example` lists them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

#: The house's services in the order of the pipeline, with the port each listens on by default.
SERVICE_PORTS = {
    "ingestion": 8000,
    "features": 8100,
    "training": 8200,
    "simulation": 8300,
    "orchestrator": 8400,
    "optimization": 8002,
}
EXCHANGE_PORT = 8900


class ServiceSettings(BaseSettings):
    """What a service or worker needs to run. Subclasses set `name` and add their own fields.

    `database_url` is required: `barsmith up` starts an embedded Postgres and hands its address down.
    """

    model_config = SettingsConfigDict(env_prefix="BARSMITH_", extra="ignore", frozen=True, populate_by_name=True)

    name: str = "barsmith"
    database_url: SecretStr = Field(validation_alias="DATABASE_URL")
    home: Path = Field(default=Path(".barsmith"), description="data folder: lake, models, embedded database")
    lake_url: str = Field(default="", description="where Parquet lives; empty: <home>/lake; or any fsspec URL")
    log_level: str = "INFO"
    worker_token: SecretStr = SecretStr("")
    threads: int = Field(default=1, ge=1, description="compute threads of one worker process")
    bind_host: str = Field(
        default="", description="address to listen on; empty: the host of the service's own URL, so this machine only"
    )
    allowed_hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")

    ingestion_url: str = "http://127.0.0.1:8000"
    features_url: str = "http://127.0.0.1:8100"
    training_url: str = "http://127.0.0.1:8200"
    simulation_url: str = "http://127.0.0.1:8300"
    orchestrator_url: str = "http://127.0.0.1:8400"
    optimization_url: str = "http://127.0.0.1:8002"

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @property
    def lake_root(self) -> str:
        return self.lake_url or str(self.home / "lake")

    #: where a browser finds each service, when that is not where the other services find it (containers)
    public_urls: dict[str, str] = Field(default_factory=dict[str, str])

    @property
    def service_urls(self) -> dict[str, str]:
        """Base URL of every service by name, in the order of the pipeline."""
        return {name: getattr(self, f"{name}_url").rstrip("/") for name in SERVICE_PORTS}

    @property
    def browser_urls(self) -> dict[str, str]:
        """Base URL of every service as a browser reaches it."""
        return {name: self.public_urls.get(name, url).rstrip("/") for name, url in self.service_urls.items()}

    def bind(self) -> tuple[str, int]:
        """Host and port this service listens on, read off its own URL unless `bind_host` names another host."""
        parts = urlsplit(self.service_urls[self.name])
        return self.bind_host or parts.hostname or "127.0.0.1", parts.port or SERVICE_PORTS[self.name]
