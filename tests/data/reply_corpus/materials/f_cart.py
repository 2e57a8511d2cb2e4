"""Shopping cart of the web shop "Fennick Home"."""

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

FREE_SHIPPING_FROM = Decimal("75.00")
SHIPPING = Decimal("5.90")


class CartError(ValueError):
    """A change that the cart does not allow."""


@dataclass
class Line:
    sku: str
    price: Decimal
    quantity: int = 1

    @property
    def total(self) -> Decimal:
        return self.price * self.quantity


@dataclass
class Cart:
    customer_id: int
    lines: dict[str, Line] = field(default_factory=dict)
    coupon: str | None = None

    def add(self, sku: str, price: Decimal, quantity: int = 1) -> None:
        if quantity < 1:
            raise CartError("quantity must be at least 1")
        if sku in self.lines:
            self.lines[sku].quantity += quantity
        else:
            self.lines[sku] = Line(sku, price, quantity)

    def remove(self, sku: str) -> None:
        try:
            del self.lines[sku]
        except KeyError:
            raise CartError(f"{sku} is not in the cart") from None

    def subtotal(self) -> Decimal:
        return sum((line.total for line in self.lines.values()), Decimal("0"))

    def discount(self) -> Decimal:
        if self.coupon == "SPRING10":
            return self.subtotal() * Decimal("0.10")
        if self.coupon == "FIVER" and self.subtotal() > 20:
            return Decimal("5")
        return Decimal("0")

    def total(self) -> Decimal:
        amount = self.subtotal() - self.discount()
        if amount < FREE_SHIPPING_FROM:
            amount += SHIPPING
        return amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)

    def is_empty(self) -> bool:
        return len(self.lines) == 0
