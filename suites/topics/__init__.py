"""Topics of newsgroup posts (20) and of news agency reports (8), on their standard splits."""
