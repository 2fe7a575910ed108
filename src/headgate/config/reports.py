"""How reports tell amounts and days."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from headgate.config.rules import Zone
from headgate.config.section import Section
from headgate.core import money


class Currency(Section):
    """What amounts are told in beside US dollars."""

    code: str = Field(pattern="^[A-Z]{3}$", description="Such as `EUR`.")
    rate: Decimal = Field(gt=0, le=10**9, description="How many of it one US dollar is: `0.92`. Reports tell it.")


class Reports(Section):
    """How usage and reports tell amounts and days."""

    currency: Currency | None = Field(
        None, description="A currency in which amounts are told, too, at a fixed rate; those in US dollars stay."
    )
    time_zone: Zone = Field("UTC", description="Whose hours, days, weeks and months count: `Europe/Berlin`.")

    @property
    def money(self) -> money.Currency | None:
        return None if self.currency is None else money.Currency(self.currency.code, self.currency.rate)
