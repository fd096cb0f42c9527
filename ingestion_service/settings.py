"""Settings of ingestion."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from ingestion_service.domain.symbols import read_symbol
from shared.errors import InvalidInput
from shared.settings import EXCHANGE_PORT, ServiceSettings

#: Alpaca's hosts for trading are what ALPACA_API_BASE_URL often names; market data have a host of their own.
DATA_HOST = "https://data.alpaca.markets"
_TRADING_HOSTS = ("api.alpaca.markets", "paper-api.alpaca.markets")

#: The chain of real providers, in the order in which they are asked.
ALPACA, SIMULATED = "alpaca", "simulated"
CHAIN = (ALPACA, "massive", "yahoo")
#: Every name that can be asked for; "iex" is answered with words.
KNOWN = (*CHAIN, SIMULATED, "iex")
#: They open nothing else.
_SIMULATED_KEYS = ("simulated", "simulated-secret")

IEX_CLOSED = (
    "IEX Cloud closed in August 2024 and IEX_TOKEN opens nothing any more: "
    "IEX's own data come through Alpaca with ALPACA_FEED=iex; unset IEX_TOKEN"
)


class Settings(ServiceSettings):
    """Who provides market data. By default the simulated exchange, whose credentials open nothing else."""

    #: a variable that is set to nothing, as compose files do, counts as unset
    model_config = SettingsConfigDict(env_ignore_empty=True)

    name: str = "ingestion"
    alpaca_base_url: str = Field(default=f"http://127.0.0.1:{EXCHANGE_PORT}", validation_alias="ALPACA_API_BASE_URL")
    alpaca_key_id: SecretStr = Field(
        default=SecretStr(""), validation_alias=AliasChoices("ALPACA_KEY_ID", "ALPACA_API_KEY_ID")
    )
    alpaca_secret_key: SecretStr = Field(
        default=SecretStr(""), validation_alias=AliasChoices("ALPACA_SECRET_KEY", "ALPACA_API_SECRET_KEY")
    )
    alpaca_feed: str = Field(default="iex", validation_alias="ALPACA_FEED")
    massive_api_key: SecretStr = Field(
        default=SecretStr(""), validation_alias=AliasChoices("MASSIVE_API_KEY", "POLYGON_API_KEY")
    )
    massive_base_url: str = Field(default="https://api.massive.com", validation_alias="MASSIVE_API_BASE_URL")
    yahoo_base_url: str = Field(
        default="", validation_alias="YAHOO_BASE_URL", description="a server that stands in for Yahoo's; empty: Yahoo"
    )
    iex_token: SecretStr = Field(default=SecretStr(""), validation_alias="IEX_TOKEN")
    providers: str = Field(default="", description="who is asked, in order, separated by commas; empty: see `chain`")
    providers_of: str = Field(default="", description="symbols asked of others: VIX=massive,yahoo; BTC/USD=alpaca")

    @field_validator("alpaca_base_url", "massive_base_url", "yahoo_base_url")
    @classmethod
    def _address(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in ("http", "https"):
            raise ValueError(f"{value!r} is not an address: write it with http:// or https://")
        return value.strip().rstrip("/")

    @field_validator("alpaca_base_url")
    @classmethod
    def _data_host(cls, value: str) -> str:
        url = value.removesuffix("/v2")
        return DATA_HOST if urlsplit(url).hostname in _TRADING_HOSTS else url

    @field_validator("providers")
    @classmethod
    def _known_chain(cls, value: str) -> str:
        if trouble := _unknown(_names(value)):
            raise ValueError(f"BARSMITH_PROVIDERS cannot be used: {trouble}")
        return value

    @field_validator("providers_of")
    @classmethod
    def _readable_chains(cls, value: str) -> str:
        _own_chains(value)
        return value

    @property
    def alpaca_provider(self) -> str:
        """What answers at `alpaca_base_url`, and so the `source` of its bars: never call synthetic bars Alpaca's."""
        host = urlsplit(self.alpaca_base_url).hostname or ""
        return ALPACA if host.endswith(".alpaca.markets") else SIMULATED

    @property
    def alpaca_keys(self) -> tuple[str, str]:
        """Key id and secret; those of the simulated exchange when none are set and it is what is asked."""
        keys = self.alpaca_key_id.get_secret_value(), self.alpaca_secret_key.get_secret_value()
        return _SIMULATED_KEYS if not any(keys) and self.alpaca_provider == SIMULATED else keys

    @property
    def chain(self) -> tuple[str, ...]:
        """The providers that are asked when neither a request nor `own_chains` names any, in order.

        What BARSMITH_PROVIDERS says; else the simulated exchange where ALPACA_API_BASE_URL leads to it, and the real
        providers where it leads to Alpaca.
        """
        return _names(self.providers) or ((SIMULATED,) if self.alpaca_provider == SIMULATED else CHAIN)

    @property
    def own_chains(self) -> dict[str, tuple[str, ...]]:
        """The chains of symbols that have their own, by symbol: what BARSMITH_PROVIDERS_OF says."""
        return _own_chains(self.providers_of)


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip().lower() for name in text.split(",") if name.strip()))


def _unknown(names: tuple[str, ...]) -> str:
    """Say which of the providers is not known, "" when all are."""
    unknown = [name for name in names if name not in KNOWN]
    return f"provider {unknown[0]!r} is not known: use {', '.join(KNOWN)}" if unknown else ""


def _own_chains(text: str) -> dict[str, tuple[str, ...]]:
    """Read `VIX=massive,yahoo; BTC/USD=alpaca`. Raises ValueError naming the part that cannot be read."""
    chains = dict[str, tuple[str, ...]]()
    for part in filter(None, map(str.strip, text.split(";"))):
        spelled, _, named = part.partition("=")
        names = _names(named)
        trouble = ""
        try:
            symbol = read_symbol(spelled)
        except InvalidInput as error:
            symbol, trouble = "", str(error)
        if not names:
            trouble = "it names no provider: write SYMBOL=provider,provider, and a semicolon between symbols"
        elif unknown := _unknown(names):
            trouble = unknown
        elif symbol in chains:
            trouble = f"{symbol} has a chain already: name each symbol once"
        if trouble:
            raise ValueError(f"BARSMITH_PROVIDERS_OF cannot be used at {part!r}: {trouble}")
        chains[symbol] = names
    return chains
