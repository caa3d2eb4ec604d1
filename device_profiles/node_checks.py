"""Checks of what speaks MQTT in a site: gateways and controllers, and how each reaches its broker."""

from collections.abc import Iterator

from device_profiles import own_devices
from device_profiles.site_buses import UplinkBus
from device_profiles.site_controllers import Controller
from device_profiles.site_model import Gateway, Site
from device_profiles.wording import Fault, Keys, choices, suggestion

TLS = ("ca", "cert", "key")
OF_AN_UPLINK = ("address", "uart")  # keys of a controller that has `through`
OF_A_NETWORK = ("wifi", "ethernet", "ntp", "ca")  # keys of a controller that has `broker`
BRINGS_UP = {"esp32": ("wifi", "ethernet"), "rp2": ("wifi",)}  # board -> networks that the agent itself brings up


def faults(site: Site) -> Iterator[Fault]:
    """(key path, text) for each contradiction in the nodes of a site that fits the schema."""
    yield from _homes(site)
    for node, gateway in site.gateways.items():
        yield from _tls(("gateways", node), gateway, gateway.broker)
    for node, controller in site.controllers.items():
        if node in site.gateways:
            yield ("controllers", node), f"'{node}' is already a gateway. Give each node a name of its own."
        yield from _reach(site, ("controllers", node), controller)
    yield from _shared_users(site)
    yield from _shared_spools(site)
    yield from _shared_addresses(site)


def _homes(site: Site) -> Iterator[Fault]:
    homes: dict[str, str] = {}
    for node, gateway in site.gateways.items():
        if gateway.pole in homes:
            text = (
                f"'{gateway.pole}' already carries the gateway {homes[gateway.pole]}. Give each gateway its own pole."
            )
            yield ("gateways", node, "pole"), text
        homes.setdefault(gateway.pole, node)
    own = {each.id: each.what for each in own_devices.of_gateways(site)}
    for each in own_devices.of_controllers(site):
        if each.id in own:
            yield ("controllers", each.node), f"'{each.node}' is {own[each.id]} on this pole. Choose another name."


def _tls(keys: Keys, node: Gateway | Controller, broker: str) -> Iterator[Fault]:
    tls = [name for name in TLS if getattr(node, name) is not None]
    if tls and broker.startswith("mqtt:"):
        text = f"{tls[0]} is given, but mqtt:// is not encrypted. Write mqtts://, or delete {', '.join(tls)}."
        yield (*keys, "broker" if node.broker else tls[0]), text
    if (node.cert is None) != (node.key is None):
        here, other = ("cert", "key") if node.key is None else ("key", "cert")
        yield (*keys, here), f"{here} is given without {other}. A client certificate needs both."


def _reach(site: Site, keys: Keys, controller: Controller) -> Iterator[Fault]:
    """A controller has a network and a broker, or a line to a gateway."""
    if controller.through is not None:
        if controller.broker is not None:
            yield (
                (*keys, "through"),
                "broker is given too: packs go one way. Delete one of both.",
            )
        else:
            yield from _line(site, keys, controller, controller.through)
    elif controller.broker is None:
        text = "broker is missing. It says where the packs go: write it, or `through:` a gateway's bus that carries"
        yield keys, f"{text} them."
    else:
        yield from _unwanted(keys, controller, OF_AN_UPLINK, "belongs to a controller that has `through`")
        yield from _network(keys, controller, controller.broker)


def _network(keys: Keys, controller: Controller, broker: str) -> Iterator[Fault]:
    yield from _tls(keys, controller, broker)
    if broker.startswith("mqtts:") and controller.ca is None and controller.board != "linux":
        text = "ca is missing. A board knows no authorities: name the certificate of the one that signed the broker's."
        yield keys, text
    known = BRINGS_UP.get(controller.board, ())
    given = [name for name in ("wifi", "ethernet") if getattr(controller, name) is not None]
    for name in given:
        if name not in known:
            who = f"the agent on {controller.board} brings up {choices(known)}" if known else "its system has a network"
            yield (*keys, name), f"{who}. Delete this key."
    if known and not given:
        text = f"{choices(known)} is missing. It has a broker, and no network to reach it: write one, or `through:`."
        yield keys, text
    if len(given) > 1:
        yield (*keys, given[1]), f"{given[0]} is given too: the controller uses one network. Delete one of both."


def _line(site: Site, keys: Keys, controller: Controller, through: str) -> Iterator[Fault]:
    if (bus := site.buses.get(through)) is None:
        return  # told with all other names
    if not isinstance(bus, UplinkBus):
        lines = [name for name, each in site.buses.items() if isinstance(each, UplinkBus)]
        hint = f" There is {', '.join(lines)}." if lines else " Add one to the gateway's buses."
        yield (*keys, "through"), f"'{through}' is no bus of `protocol: controllers`, which carries packs.{hint}"
        return
    yield from _unwanted(keys, controller, OF_A_NETWORK, "needs a network, which a controller with `through` has not")
    for key in OF_AN_UPLINK:
        if getattr(controller, key) is None:
            why = "Its number on the line, 1 to 247." if key == "address" else "One of its uarts, which is the line's."
            yield keys, f"{key} is missing. {why}"
    if controller.uart is not None and controller.uart not in controller.uarts:
        yield (*keys, "uart"), unknown(controller.uart, "uart", list(controller.uarts))
    if (owner := site.gateways.get(site.node_of(through))) is not None:
        yield from _tls(keys, controller, owner.broker)


def _unwanted(keys: Keys, controller: Controller, names: tuple[str, ...], why: str) -> Iterator[Fault]:
    for name in names:
        if getattr(controller, name) is not None:
            yield (*keys, name), f"{name} {why}. Delete this key."


def unknown(name: str, what: str, known: list[str]) -> str:
    """`'up' is not a uart of this controller. …`"""
    hint = suggestion(name, known) or (f" Known are {', '.join(known)}." if known else " It has none yet.")
    article = "an" if what[0] in "ai" else "a"
    return f"'{name}' is not {article} {what} of this controller.{hint}"


def _shared_users(site: Site) -> Iterator[Fault]:
    users: dict[str, str] = {}
    for section, nodes in (("gateways", site.gateways), ("controllers", site.controllers)):
        for node in nodes:
            if section == "controllers" and node in site.gateways:
                continue  # the name is told
            user = site.user_of(node)
            if user in users:
                text = f"'{user}' is already the user of {users[user]}. Give each node a user of its own."
                yield (section, node, "user"), text
            users.setdefault(user, node)


def _shared_spools(site: Site) -> Iterator[Fault]:
    spools: dict[object, str] = {}
    for node, gateway in site.gateways.items():
        if gateway.spool is not None and gateway.spool in spools:
            owner = spools[gateway.spool]
            text = f"'{gateway.spool.name}' is already the spool of {owner}. Give each gateway its own file."
            yield ("gateways", node, "spool"), text
        if gateway.spool is not None:
            spools.setdefault(gateway.spool, node)


def _shared_addresses(site: Site) -> Iterator[Fault]:
    taken: dict[tuple[str, int], str] = {}
    for node, controller in site.controllers.items():
        if controller.through is None or controller.address is None:
            continue
        place = controller.through, controller.address
        if place in taken:
            text = f"{controller.address} on {controller.through} is already {taken[place]}. Give each its own."
            yield ("controllers", node, "address"), text
        taken.setdefault(place, node)
