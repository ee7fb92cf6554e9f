"""What all clients of servers share: verified TLS, time limits, credentials, Kerberos."""
