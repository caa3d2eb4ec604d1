"""MQTT to the time-series store. Packs of readings come IN, rows, PUBACKs and `down/stored` go OUT.

`connection` speaks MQTT 5, `accept` judges a pack, `batch` collects, `isolate` writes and finds what a store refuses,
`dead_letters` keeps that, and `service` ties them together. `stores` says what a store is, `sqlite_store` and
`influx_store` are the stores, `store_url` opens the one that the configuration names.
"""
