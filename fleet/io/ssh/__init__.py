"""SSH: connections by the rules, whom they trust, and a server of our own."""
