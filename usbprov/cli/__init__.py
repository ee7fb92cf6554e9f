"""The command line: parse, call, render. No protocol, no SQL."""
