import pytest

from pole.fleet.depth_plan import MOST_AGENTS, MOST_WIRES, POLES_A_GATEWAY, DepthError, check, city_of, nodes, users


def order(**more):
    return {"seed": 3, "poles": 200, "wires": 16, "agents": 4, "speed": 1.0} | more


def test_every_pole_of_the_two_depths_has_one_node_agents_first():
    city = city_of(order())
    found = nodes(order(), city)
    assert [index for node in found for index in node.poles] == list(range(20))
    assert [node.kind for node in found[:4]] == ["controller"] * 4
    assert {node.kind for node in found[4:]} == {"gateway"}
    for node in found:
        assert {city.area[index] for index in node.poles} == {node.area}
        assert 1 <= len(node.poles) <= POLES_A_GATEWAY
    assert found[0].name == "P00001-ctl"
    assert found[4].name == "P00005-gw"


def test_users_are_the_nodes_and_the_radio_server():
    assert users(order()) == [*(node.name for node in nodes(order(), city_of(order()))), "chirpstack"]
    assert users(order(wires=0, agents=0)) == []


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"wires": MOST_WIRES + 1}, "--wires 65: 0 to 64"),
        ({"agents": MOST_AGENTS + 1}, "--agents 17: 0 to 16"),
        ({"wires": -1}, "--wires -1: 0 to 64"),
        ({"poles": 19}, "more than --poles 19"),
        ({"speed": 60.0}, "--speed 60.0: wires and agents work in real time"),
        ({"speed": None}, "--speed max: wires and agents work in real time"),
    ],
)
def test_what_one_machine_cannot_do_is_said_before_anything_starts(more, told):
    with pytest.raises(DepthError, match=told):
        check(order(**more))


def test_what_it_can_do_is_not_refused():
    check(order())
    check(order(wires=MOST_WIRES, agents=MOST_AGENTS))
    check(order(wires=0, agents=0, speed=None))
