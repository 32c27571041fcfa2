"""Scans: runs, their states and their way through the job queue."""
