"""What a doctor does in the browser, done in Chromium against the real server."""
