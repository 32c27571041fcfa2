"""netvigil schedules, runs and reports network vulnerability scans of many sites."""
