"""Settings for all tests."""

from hypothesis import settings

# A loaded machine is no reason to fail: what takes too long is found by pytest's own time limit.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
