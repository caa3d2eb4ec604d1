"""What is known of a charger, also over its reconnections: its calls IN, the answers to them and its items OUT."""

import datetime
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from protocols import ocpp

Raw = int | float | bool | str | bytes
Answered = tuple[dict[str, Any], list[ocpp.Said]]  # the answer's payload, what was told

# What a charger keeps, and says again, until it is answered (OCPP 1.6, 3.7).
KEPT_BY_CHARGERS = frozenset(("StartTransaction", "StopTransaction", "MeterValues", "StatusNotification"))
STARTS_KEPT = 16  # answered StartTransactions, should one come again because our answer got lost
# What stands until the charger tells another. The rest of its items are of one instant.
STANDING = frozenset((
    "status", "error_code", "plugged", "charging", "faulted", "transaction", "current_limit",
    "vendor", "model", "serial", "firmware",
))  # fmt: skip


class Memory:
    def __init__(self, *, next_transaction: Callable[[], int]) -> None:
        self.standing: dict[str, Raw] = {}
        self._next_transaction = next_transaction
        self._starts: OrderedDict[str, int] = OrderedDict()  # a StartTransaction -> the id that it was given

    def keep(self, items: Mapping[str, Raw]) -> None:
        """Remembers what stands."""
        self.standing |= {name: value for name, value in items.items() if ocpp.split(name)[1] in STANDING}

    def transaction(self, connector: int) -> int:
        """The session that runs on a connector, 0 where none does."""
        number = self.standing.get(ocpp.item(connector, "transaction"), 0)
        return number if isinstance(number, int) else 0

    def answer(self, message: ocpp.Message, interval: int) -> Answered:
        """A call of an action in ANSWERED. interval: s between heartbeats. Raises BadAnswer where it is malformed."""
        told = ocpp.said(message, self._connector_of(message))
        match message.name:
            case "BootNotification":
                return {"status": "Accepted", "currentTime": _now(), "interval": interval}, told
            case "Heartbeat":
                return {"currentTime": _now()}, []
            case "Authorize":
                return {"idTagInfo": {"status": "Accepted"}}, []
            case "DataTransfer":
                return {"status": "Rejected"}, []
            case "StatusNotification":
                return {}, [ocpp.Said(None, self._free(message, told[0].items))]
            case "StartTransaction":
                return self._start(message, told)
            case "StopTransaction":
                return self._stop(message, told)
        return {}, told  # MeterValues; and what only asks for a nod, whose refusal makes some chargers hang up

    def _free(self, message: ocpp.Message, items: dict[str, Raw]) -> dict[str, Raw]:
        """A connector that is available has no session, even where the charger forgot to end it."""
        connector = ocpp.connector_of(message.payload)
        if items[ocpp.item(connector, "status")] == "Available":
            return items | {ocpp.item(connector, "transaction"): 0}
        return items

    def _start(self, message: ocpp.Message, told: list[ocpp.Said]) -> Answered:
        key = repr(sorted(message.payload.items(), key=lambda pair: str(pair[0])))[:512]
        number = self._starts.get(key) or self._next_transaction()
        self._starts[key] = number
        while len(self._starts) > STARTS_KEPT:
            self._starts.popitem(last=False)
        told[0].items[ocpp.item(ocpp.connector_of(message.payload), "transaction")] = number
        return {"transactionId": number, "idTagInfo": {"status": "Accepted"}}, told

    def _stop(self, message: ocpp.Message, told: list[ocpp.Said]) -> Answered:
        number, connector = ocpp.transaction(message.payload), self._connector_of(message)
        if self.transaction(connector) not in (0, number):  # an old one's end, told late: another runs
            del told[-1].items[ocpp.item(connector, "transaction")]
        return {"idTagInfo": {"status": "Accepted"}}, told

    def _connector_of(self, message: ocpp.Message) -> int:
        """Whose transaction a StopTransaction ends; 1 where that is not known."""
        if message.name != "StopTransaction" or not isinstance(message.payload, dict):
            return 1
        number = ocpp.transaction(message.payload)
        for name, value in self.standing.items():
            connector, what = ocpp.split(name)
            if what == "transaction" and value == number:
                return connector
        return 1


ANSWERED = frozenset((
    "Authorize", "BootNotification", "DataTransfer", "DiagnosticsStatusNotification", "FirmwareStatusNotification",
    "Heartbeat", "LogStatusNotification", "MeterValues", "SecurityEventNotification",
    "SignedFirmwareStatusNotification", "StartTransaction", "StatusNotification", "StopTransaction",
))  # fmt: skip


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
