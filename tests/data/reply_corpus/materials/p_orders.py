"""Orders of the tea shop: totals, discounts and shipping."""

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

FREE_SHIPPING_FROM = Decimal("45.00")
SHIPPING = {"GB": Decimal("3.90"), "IE": Decimal("6.50"), "EU": Decimal("9.80")}
BULK_FROM = 10
BULK_DISCOUNT = Decimal("0.08")


class OrderError(ValueError):
    """The order cannot be priced."""


@dataclass
class Line:
    sku: str
    quantity: int
    unit_price: Decimal

    def total(self) -> Decimal:
        if self.quantity <= 0:
            raise OrderError(f"bad quantity for {self.sku}: {self.quantity}")
        amount = self.unit_price * self.quantity
        if self.quantity >= BULK_FROM:
            amount -= amount * BULK_DISCOUNT
        return amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


@dataclass
class Order:
    number: str
    country: str
    lines: list[Line] = field(default_factory=list)

    def subtotal(self) -> Decimal:
        return sum((line.total() for line in self.lines), Decimal("0"))

    def shipping(self) -> Decimal:
        if not self.lines:
            return Decimal("0")
        if self.country == "GB" and self.subtotal() >= FREE_SHIPPING_FROM:
            return Decimal("0")
        try:
            return SHIPPING[self.country]
        except KeyError:
            raise OrderError(f"we do not ship to {self.country}") from None

    def total(self) -> Decimal:
        # No VAT here: prices in the shop already include it.
        return self.subtotal() + self.shipping()
