"""Fuzzing of everything that reads a device's bytes; see docs/fuzzing.md."""
