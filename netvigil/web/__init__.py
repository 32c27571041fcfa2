"""The console: server-rendered pages over the same services, scopes and organisations as the API."""
