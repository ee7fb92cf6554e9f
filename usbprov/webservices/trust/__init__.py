"""Whom a phone trusts: what servers present, what the phone makes of it, what it would need.

``sources`` gather certificates, ``view`` judges a server as the phone would, ``plan`` joins them
and says what to install. The command ``usbprov trust`` and the step ``trust`` of a job use the
same plan.
"""
