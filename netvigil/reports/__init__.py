"""Reports: what an ended scan says, its content and its links."""
