"""Pure rules: money, states, matching, policy. No I/O, no clock."""
