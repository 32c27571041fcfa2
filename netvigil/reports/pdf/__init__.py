"""The report as a PDF: a frozen report becomes plain values, a child process sets them with Typst, the database keeps it."""
