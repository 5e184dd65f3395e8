"""Windows, watermarks, coverage and the load path from provider pages into raw tables."""
