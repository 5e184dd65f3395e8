"""Room kept for the webhook inbox and admin pages. Empty on purpose until they are built."""
