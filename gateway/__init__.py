"""Stage 2. Registers of Modbus devices come IN, packs of readings go OUT to the broker; commands the other way.

`service` runs a gateway. From the wire to the broker: `serial_line` or `tcp_line`, `bus`, `poller`, `reports`,
`collector`, `spool`, `window`, `uplink`; `commands` is the way back.
"""
