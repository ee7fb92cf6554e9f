"""The device side of a bus: a USB device model and the ways to reach it."""
