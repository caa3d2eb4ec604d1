from dataclasses import replace

from rich.console import Console

from pole.demo.outcome import Outcome, table
from pole.demo.reconciliation import Account

ACCOUNT = Account(
    node="gw-1",
    produced=1_234_567,
    stored=1_234_566,
    pending=1,
    packs_dropped=12_345,
    refused=0,
    told_again=3,
    lost=1,
    duplicated=22,
)


def outcome_of(account, **figures):
    usual = {"wrong_values": 0, "stamped_late": 0, "values_checked": 1000}
    return Outcome(
        poles=12, devices=60, functions=["air"], seconds=60, first_reading_s=2, accounts=[account, account],
        latency_p50_ms=1, latency_p99_ms=2, kills=0, crashes=0, **usual | figures,
    )  # fmt: skip


def test_a_few_values_that_were_stamped_late_are_told_and_many_are_not_good():
    whole = replace(ACCOUNT, lost=0, duplicated=0)
    assert outcome_of(whole, stamped_late=10).good
    assert not outcome_of(whole, stamped_late=11).good
    assert not outcome_of(whole, wrong_values=1).good
    assert not outcome_of(ACCOUNT).good


def test_the_table_fits_80_columns_with_whole_headings():
    outcome = outcome_of(ACCOUNT)
    console = Console(width=80)
    with console.capture() as capture:
        console.print(table(outcome))
    words = capture.get().replace("┃", " ").replace("│", " ").split()
    for heading in ("node", "produced", "pending", "packs", "dropped", "refused", "lost", "stored", "twice"):
        assert heading in words
    for figure in ("1234567", "1234566", "12345", "2469134", "44"):
        assert figure in words
