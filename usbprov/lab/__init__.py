"""The other side of the wires: Web Services with a CA, users and stores, on loopback."""
