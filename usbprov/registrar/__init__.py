"""Signing in at a Registrar: SIP REGISTER with TLS-DSK, NTLM or Kerberos."""
