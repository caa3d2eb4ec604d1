"""Devices that speak by themselves IN, readings of their points OUT."""
