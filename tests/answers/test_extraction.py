"""Data that was extracted must stand in the source; what was worked out or chosen need not."""

import pytest

from spadework.checks.answer_check import AnswerRequirements, GroundingContext, ValidatedReply
from spadework.checks.extraction import check_extraction
from spadework.errors import CheckFailed

SOURCE = (
    "Invoice INV-2024-00931 of 5 March 2024 for Jane Doe <Jane.Doe@example.org>: three items, "
    "1,250.50 EUR. Phone +49 (151) 234-5678. See https://www.example.org/inv/931/ for more."
)
GIVEN = GroundingContext("Extract.", texts=(SOURCE,))
KIND = {"properties": {"kind": {"enum": ["invoice", "offer"]}}}


def extracted(value, schema, given, *, grounded):
    wanted = AnswerRequirements(given, schema=schema, grounded=grounded)
    return check_extraction(ValidatedReply("", value=value), wanted).checks


@pytest.mark.parametrize(
    "value",
    [
        {"mail": "jane.doe@example.org", "id": "INV-2024-00931"},
        {"id": "inv 2024 00931", "phone": "+491512345678"},
        {"link": "example.org/inv/931"},
        {"link": "https://example.org/inv/931"},
        {"date": "2024-03-05", "at": "12:30", "total": 99999.99},
        {"summary": "An invoice that nobody has paid", "count": 17, "paid": False},
        {"slug": "step-2", "version": "1.2.3", "amount": "12,500,000"},
        None,
    ],
)
def test_what_stands_there_or_was_worked_out_passes(value):
    extracted(value, {}, GIVEN, grounded=False)


@pytest.mark.parametrize(
    "value",
    [
        {"mail": "john@example.org"},
        [{"id": "INV-2024-00932"}],
        {"a": {"b": ["https://example.com/"]}},
        {"phone": "+49 151 9999999"},
    ],
)
def test_an_invented_address_link_or_number_fails(value):
    with pytest.raises(CheckFailed, match="not in the source") as caught:
        extracted(value, {}, GIVEN, grounded=False)
    assert caught.value.check == "extraction"


@pytest.mark.parametrize(
    "value",
    [
        {"name": "Jane Doe", "items": 3, "total": 1250.5, "currency": "EUR"},
        {"kind": "offer", "date": "2024-03-05", "paid": True, "note": None, "empty": ""},
    ],
)
def test_a_grounded_tool_takes_only_what_stands_there(value):
    assert extracted(value, KIND, GIVEN, grounded=True)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"name": "John Doe"}, '$.name, the model wrote: "John Doe"'),
        ({"total": 1250.6}, '$.total, the model wrote: "1250.6"'),
        ({"items": [4, 6, 7, 8, 9]}, "and 2 more"),
        ({"date": "2023-03-05"}, "2023"),
    ],
)
def test_a_grounded_tool_refuses_all_else(value, said):
    with pytest.raises(CheckFailed) as caught:
        extracted(value, KIND, GIVEN, grounded=True)
    assert said in str(caught.value)


def test_without_material_there_is_nothing_to_look_up():
    value = {"mail": "someone@example.com"}
    assert not extracted(value, {}, GroundingContext("Invent a person."), grounded=True)
