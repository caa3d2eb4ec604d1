"""Devices, buses and a whole city that are not there: profiles come IN, Modbus frames on a pty or on TCP go OUT."""
