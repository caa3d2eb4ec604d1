"""Devices that are asked, in every protocol but Modbus, IN; readings of their points OUT."""
