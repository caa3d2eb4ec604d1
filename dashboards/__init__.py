"""Grafana. Device profiles come IN, a provisioned overview of the city goes OUT: `python -m dashboards.generate`."""
