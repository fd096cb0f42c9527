"""Settings of the simulated exchange, from the environment as `SIMULATED_EXCHANGE_<NAME>`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

#: The only credentials the simulated exchange knows by default. They open nothing else.
KEY_ID, SECRET_KEY = "simulated", "simulated-secret"


class ExchangeSettings(BaseSettings):
    """The market's seed, the limits of the server, and the faults it shows on purpose (all off by default)."""

    model_config = SettingsConfigDict(env_prefix="SIMULATED_EXCHANGE_", extra="ignore", frozen=True)

    seed: int = 7
    key_id: str = KEY_ID
    secret_key: SecretStr = SecretStr(SECRET_KEY)
    page_limit: int = Field(default=10_000, ge=1, le=10_000, description="most bars of one page")
    rate_limit: int = Field(default=10_000, ge=1, description="requests of one window")
    rate_window_seconds: float = Field(default=60.0, gt=0)

    fail_every: int = Field(default=0, ge=0, description="every n-th request answers 500; 0: never")
    storm_every: int = Field(default=0, ge=0, description="every n-th request opens a storm of 429; 0: never")
    storm_length: int = Field(default=3, ge=1, description="requests refused by one storm")
    slow_page_seconds: float = Field(default=0.0, ge=0, description="wait before each page")
    drop_every: int = Field(default=0, ge=0, description="every n-th page breaks off in the middle; 0: never")
    duplicate_every: int = Field(default=0, ge=0, description="every n-th page is sent twice; 0: never")
    shuffle_every: int = Field(default=0, ge=0, description="every n-th page is newest first; 0: never")
    revise_every: int = Field(default=0, ge=0, description="every n-th page has bars unfinished first; 0: never")

    stream_cut_seconds: float = Field(default=0.0, ge=0, description="each stream is dropped after so long; 0: never")
    stream_lose_every: int = Field(default=0, ge=0, description="each n-th minute's bars are not streamed; 0: never")
    stream_misdate_every: int = Field(
        default=0, ge=0, description="each n-th minute's bars are streamed as of five years later, too; 0: never"
    )
    stream_error: Literal[0, 405, 406] = Field(
        default=0, description="406: no stream is let in (connection limit); 405: no subscription (symbol limit)"
    )
    stream_revise_every: int = Field(
        default=0, ge=0, description="each n-th minute's bar is streamed unfinished and updated later; 0: never"
    )
