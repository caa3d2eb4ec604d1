"""Readings IN, numbered packs that survive a power cut OUT, until the database has them."""
