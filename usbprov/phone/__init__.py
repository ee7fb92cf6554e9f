"""The phone contract, the driver registry and the selection of a phone."""
