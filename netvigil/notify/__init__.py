"""News of scans and data updates, told to groups of receivers: mail, chats, webhooks."""
