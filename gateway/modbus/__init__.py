"""Modbus units on a serial line or a TCP connection IN, readings of their points OUT; commands go the other way."""
