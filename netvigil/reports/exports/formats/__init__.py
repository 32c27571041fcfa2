"""One module a form of export, each with its `FORMAT`; `table` finds them, so adding one is adding a file."""
