"""Packs that wait for a birth: in their order, for a while, and not more than there is room for."""

import asyncio
import random

from ingest.session import Message
from ingest.waiting import Waiting


class Session:
    open = True


def message(number, session):
    return Message("poles/a/n/up/telemetry", b"%d" % number, number, session)


def test_a_birth_frees_the_packs_of_its_node_in_their_order():
    async def scenario():
        waiting, session = Waiting(most=100), Session()
        asked = [waiting.put(("a", f"n{number % 2}"), message(number, session)) for number in range(6)]
        assert asked == [True, True, False, False, False, False]
        assert [each.packet_id for each in waiting.born(("a", "n1"))] == [1, 3, 5]
        assert waiting.born(("a", "n1")) == []
        assert len(waiting) == 3
        assert waiting.put(("a", "n1"), message(7, session))

    asyncio.run(scenario())


def test_who_waited_enough_goes_and_so_does_the_oldest_when_there_is_no_room():
    async def scenario():
        patient, session = Waiting(most=2), Session()
        for number in range(5):
            patient.put(("a", "n"), message(number, session))
        assert [each.packet_id for each in patient.due()] == [0, 1, 2]
        assert patient.due() == []
        hasty = Waiting(most=100, patience_s=0.0)
        hasty.put(("a", "n"), message(1, session))
        assert [each.packet_id for each in hasty.due()] == [1]
        assert hasty.put(("a", "n"), message(2, session))

    asyncio.run(scenario())


def test_where_half_of_the_room_is_taken_nobody_waits_for_long(monkeypatch):
    async def scenario():
        waiting, session = Waiting(most=10), Session()
        for number in range(8):
            waiting.put(("a", f"n{number}"), message(number, session))
        assert waiting.due() == []
        monkeypatch.setattr("ingest.waiting.HURRIED_S", 0.0)
        assert [each.packet_id for each in waiting.due()] == [0, 1, 2]
        assert waiting.due() == []

    asyncio.run(scenario())


def test_what_the_broker_sends_again_is_forgotten_and_the_rest_keeps_its_order():
    async def scenario():
        waiting, gone, session = Waiting(most=1), Session(), Session()
        for number in range(6):
            waiting.put(("a", "n"), message(number, gone if number % 2 else session))
        gone.open = False
        waiting.forget(gone)
        assert [each.packet_id for each in waiting.due()] == [0, 2]
        assert [each.packet_id for each in waiting.born(("a", "n"))] == [4]
        assert len(waiting) == 0

    asyncio.run(scenario())


def test_it_says_the_same_as_a_plain_list_whatever_happens():
    async def scenario():
        chance, session = random.Random(1), Session()
        waiting, plain = Waiting(most=20), []
        for number in range(3000):
            node = ("a", f"n{chance.randrange(9)}")
            if chance.random() < 0.8:
                assert waiting.put(node, message(number, session)) == all(of != node for of, _ in plain)
                plain.append((node, number))
            elif chance.random() < 0.5:
                assert [each.packet_id for each in waiting.born(node)] == [n for of, n in plain if of == node]
                plain = [item for item in plain if item[0] != node]
            else:
                spare = max(len(plain) - 20, 0)
                assert [each.packet_id for each in waiting.due()] == [n for _, n in plain[:spare]]
                plain = plain[spare:]
            assert len(waiting) == len(plain)

    asyncio.run(scenario())
