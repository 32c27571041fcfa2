"""The built-in lab: about a dozen emulated devices on loopback addresses, so that anyone can try a scan safely.

Nothing here is a vulnerable service: a device sends the bytes that a version probe would see, and no more.
What each device is, which software it claims and which CVEs of the starter catalogue that means is written once,
in `truth.json`; the emulator and the tests both read it there.

A device more: add a host to `truth.json`. A kind of greeting more: add a function to `greeters.py` and name it
in a service's `speaks`.
"""
