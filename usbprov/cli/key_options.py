"""Options about the keys that are made; apart from others, for what they import."""

import click

from usbprov.pki.keys import DEFAULT_RSA_BITS, RSA_SIZES

key_bits_option = click.option(
    "--key-bits",
    type=click.Choice([str(bits) for bits in RSA_SIZES]),
    default=str(DEFAULT_RSA_BITS),
    show_default=True,
    help="Length of a new RSA key.",
)
