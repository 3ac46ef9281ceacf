from datetime import UTC, datetime

import pytest

from server.domain.errors import AppError
from server.domain.lead_status import LeadStatus
from server.domain.outcome_file import MAX_LINES, read

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def test_lines_are_read_with_their_number_status_and_date() -> None:
    lines, faults = read("email,status,date\nana@example.com,Won,2026-11-20\n", NOW)
    assert faults == []
    assert (lines[0].number, lines[0].status, lines[0].email) == (
        2,
        LeadStatus.WON,
        "ana@example.com",
    )
    assert lines[0].at == datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffStatus;Email\r\nlost;ana@example.com\r\n",
        "phone,email,status,colour\n,ana@example.com,lost,red\n\n",
        '"email","status"\n"ana@example.com"," lost "\n',
        "email,status\n\n,\nana@example.com,lost",
    ],
)
def test_file_of_another_make_is_read_the_same(text: str) -> None:
    lines, faults = read(text, NOW)
    assert [(line.email, line.status, line.at) for line in lines] == [
        ("ana@example.com", LeadStatus.LOST, NOW)
    ]
    assert faults == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ana@example.com,sold,", "status must be one of new, contacted"),
        (",won,", "names no lead"),
        ("ana@example.com,won,yesterday", "date must be like"),
        ("ana@example.com,won,2026-12-24", "date lies ahead"),
        ("ana@example.com,won,0001-01-01T00:00:00+14:00", "date must be like"),
        ("a" * 500 + "@example.com,won,", "has a cell of more than"),
        ("ana@example.com", "status must be one of"),
    ],
)
def test_line_that_cannot_be_taken_is_told_with_its_number(line: str, message: str) -> None:
    lines, faults = read(f"email,status,date\nbob@example.com,won,\n{line}\n", NOW)
    assert [one.number for one in lines] == [2]
    assert [fault.number for fault in faults] == [3]
    assert message in faults[0].message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "email,fate\nana@example.com,won\n",
        "status\nwon\n",
        "email,status\n",
        "email,status\n" + "ana@example.com,won\n" * (MAX_LINES + 1),
        'email,status\n"' + "x" * 200_000,
        "\x00\x01\x02",
    ],
)
def test_what_is_no_file_of_outcomes_is_refused(text: str) -> None:
    with pytest.raises(AppError) as refused:
        read(text, NOW)
    assert refused.value.fields[0].field == "file"


@pytest.mark.parametrize(
    ("cells", "name"),
    [
        ("lead_1,ana@example.com,+442079460123", "lead_1"),
        (",ana@example.com,+442079460123", "ana@example.com"),
        (",,+442079460123", "+442079460123"),
    ],
)
def test_line_is_called_by_the_surest_name_it_has(cells: str, name: str) -> None:
    lines, _faults = read(f"lead_id,email,phone,status\n{cells},won\n", NOW)
    assert [line.name for line in lines] == [name]
