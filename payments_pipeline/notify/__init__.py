"""The outbox and its channels: what people are told, at least once, shown once."""
