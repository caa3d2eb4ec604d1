"""MQTT to the time-series store. Packs of readings come IN, rows, PUBACKs and `down/stored` go OUT.

`connection` speaks MQTT 5, `accept` judges a pack, `batch` collects, `isolate` writes and finds what a store refuses,
`dead_letters` keeps that, and `service` ties them together. A store is one module (`sqlite_store`, `influx1_store`,
`influx2_store`) behind `stores.Store`.
"""
