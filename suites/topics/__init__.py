"""Topic of newsgroup posts (20) and of news agency reports (8), on the splits they are known by."""
