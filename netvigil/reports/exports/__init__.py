"""A scan in the forms that other tools read; each form is one module of `formats`."""
