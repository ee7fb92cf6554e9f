"""The key vault: host-made key pairs in files of their own, encrypted under a passphrase.

``docs/vault.md`` has the format, what it costs to guess a passphrase, and what it does not protect
against.
"""
