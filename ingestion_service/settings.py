"""Settings of ingestion."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, field_validator

from shared.settings import EXCHANGE_PORT, ServiceSettings

#: Alpaca's hosts for trading are what ALPACA_API_BASE_URL often names; market data have a host of their own.
_DATA_HOST = "https://data.alpaca.markets"
_TRADING_HOSTS = ("api.alpaca.markets", "paper-api.alpaca.markets")


class Settings(ServiceSettings):
    """The provider defaults to the simulated exchange, whose credentials open nothing else."""

    name: str = "ingestion"
    alpaca_base_url: str = Field(default=f"http://127.0.0.1:{EXCHANGE_PORT}", validation_alias="ALPACA_API_BASE_URL")
    alpaca_key_id: SecretStr = Field(
        default=SecretStr("simulated"), validation_alias=AliasChoices("ALPACA_KEY_ID", "ALPACA_API_KEY_ID")
    )
    alpaca_secret_key: SecretStr = Field(
        default=SecretStr("simulated-secret"),
        validation_alias=AliasChoices("ALPACA_SECRET_KEY", "ALPACA_API_SECRET_KEY"),
    )
    alpaca_feed: str = Field(default="iex", validation_alias="ALPACA_FEED")

    @field_validator("alpaca_base_url")
    @classmethod
    def _data_host(cls, value: str) -> str:
        url = value.strip().rstrip("/").removesuffix("/v2")
        return _DATA_HOST if urlsplit(url).hostname in _TRADING_HOSTS else url

    @property
    def provider(self) -> str:
        """What answers at `alpaca_base_url`, and so the `source` of its bars: never call synthetic bars Alpaca's."""
        host = urlsplit(self.alpaca_base_url).hostname or ""
        return "alpaca" if host.endswith(".alpaca.markets") else "simulated"
