"""One module an outside system: its client, its paging, its errors, its objects as rows."""
