from hypothesis import HealthCheck, settings

# Shared machines are slow at times: how long one example takes says nothing about the wire.
settings.register_profile("multipole", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("multipole")
