"""One of the outages that delegations wait for is shown for all of them."""

from spadework.engine.patience import Outages


def test_the_one_that_has_waited_longest_is_shown_until_nobody_waits_any_more():
    changes = []
    outages = Outages(lambda: changes.append(outages.current))
    with outages.listener() as first, outages.listener() as second:
        first.away("koala is away, 10 s")
        second.away("iguana is away")
        first.away("koala is away, 9 s")
        first.away("")
        second.away("iguana is away, still")
    assert changes == [
        "koala is away, 10 s",
        "koala is away, 10 s",
        "koala is away, 9 s",
        "iguana is away",
        "iguana is away, still",
        "",
    ]


def test_what_one_waits_for_is_shown_after_another_has_ended():
    outages = Outages()
    with outages.listener() as second:
        with outages.listener() as first:
            first.away("koala is away")
        assert not outages.current
        second.away("koala is away")
        assert outages.current == "koala is away"
    assert not outages.current


def test_a_delegation_that_never_waited_changes_nothing():
    changes = []
    with Outages(lambda: changes.append(1)).listener() as listener:
        listener.away("")
    assert changes == []
